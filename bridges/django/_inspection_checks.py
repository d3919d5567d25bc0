# What the system checks find wrong around the inspection: where its sockets are to be, and what
# tracing needs. They look, and make nothing.

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning

from ..asgi._kinds import kinds_of
from ..inspection._directory import NoDirectory, look
from ..inspection._hook import directories_of
from . import _settings
from ._project import project_name


def check_inspection_dir(**_: object) -> list[CheckMessage]:
    """
    Check that the processes of the project could have their sockets somewhere: W007.

    A warning, for whoever runs the check may be another user than the server's.
    """
    if _settings.problems():
        return []
    found: list[CheckMessage] = []
    for directory in directories_of(_settings.load_options(), project_name()) or ():
        try:
            look(directory)
        except NoDirectory as problem:
            text = f"{problem}."
            found.append(
                Warning(text[0].upper() + text[1:], hint=problem.remedy, id="greenroom.W007")
            )
        else:
            return []  # one is enough
    return found[:1]


def check_tracing(**_: object) -> list[CheckMessage]:
    """Check that TRACING has its extra: E008."""
    return list(untraceable())


def untraceable() -> Iterator[CheckMessage]:
    """Yield E008 if TRACING is on without its extra, in which case asgi.py can't be imported."""
    if _settings.problems():
        return
    try:
        kinds_of(_settings.load_options())
    except ImportError as error:
        yield Error(
            f"GREENROOM: TRACING is on, but {error}.",
            hint="Write `pip install 'greenroom[tracing]'`, or \"TRACING\": False.",
            id="greenroom.E008",
        )
