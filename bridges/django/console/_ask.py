# Asking the processes of this project, from any of its processes: a view, a command, a shell.
#
# Trees of the asking process are asked directly, the others over their sockets; so it works, too,
# where no socket can be had.

from collections.abc import Mapping, Sequence
from pathlib import Path

from ....supervisor import Options
from ...inspection import Gathered, ProcessId, gather
from ...inspection._gather import processes_in
from ...inspection._gather_async import gather_async
from ...inspection._hook import directories_of
from ...inspection._local import local_trees
from .._project import project_name
from .._settings import load_options

OFF = 'GREENROOM["INSPECTION"] is False in the settings, so no process of this project answers'


def ask(
    question: Mapping[str, object], *, seconds: float = 1.0, only: str | None = None
) -> Gathered:
    """
    Ask all processes of the project, and wait for their answers. For threads: it blocks.

    Args:
        question: What is asked, such as ``{"ask": "tree", "path": "/"}``.
        seconds: How long all of it may take.
        only: The id of the only process to ask.

    Raises:
        BadMessage: *question* is too long, or no JSON.
        ImproperlyConfigured: The setting GREENROOM is wrong.
        RuntimeError: Called on the loop of a tree, which it would stop.
    """
    places = _places(load_options())
    if places is None:
        return Gathered([], 0, 0.0, OFF)
    local = local_trees()
    if any(tree.is_here for tree in local):
        raise RuntimeError("ask() blocks, and would stop this loop: write `await aask(...)`.")
    return gather(question, places, seconds=seconds, only=only, local=local)


async def aask(
    question: Mapping[str, object], *, seconds: float = 1.0, only: str | None = None
) -> Gathered:
    """
    Ask all processes of the project, as :func:`ask` does, on trio. A checkpoint.

    Raises:
        BadMessage: *question* is too long, or no JSON.
        ImproperlyConfigured: The setting GREENROOM is wrong.
    """
    places = _places(load_options())
    if places is None:
        return Gathered([], 0, 0.0, OFF)
    return await gather_async(question, places, seconds=seconds, only=only, local=local_trees())


def present() -> list[ProcessId]:
    """Return which processes of the project there seem to be, without asking any of them."""
    places = _places(load_options())
    return [] if places is None else processes_in(places, local_trees())


def _places(options: Options) -> Sequence[Path] | None:
    return directories_of(options, project_name())
