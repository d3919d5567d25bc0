# What Django's autoreloader does not watch by itself: the files of a project that failed.
#
# It watches the modules that there are, and a module whose import raised is not there. Of such
# an import Django remembers the one file in which the error was raised, which is asgi.py if that
# has the syntax error, and a file of a library if asgi.py calls one wrongly. So all files that
# the traceback names are watched here, and asgi.py in any case.

import traceback
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from django.conf import settings
from django.utils.autoreload import autoreload_started


class FailedFiles:
    """The files of imports that failed, for the reloader of this process."""

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._reloader: Any = None
        # Not weakly: Django drops what nobody else holds. The reloader starts in another thread.
        autoreload_started.connect(self._started, weak=False)

    def watch(self, error: BaseException, trace: TracebackType | None) -> None:
        """Have all files watched that *error* came through."""
        names = {frame.filename for frame in traceback.extract_tb(trace)}
        if isinstance(error, SyntaxError) and error.filename:
            names.add(error.filename)
        self._files = self._files | {Path(name).absolute() for name in names if name[:1] != "<"}
        self._add()

    def _started(self, sender: Any, **_: object) -> None:
        self._reloader = sender
        self._add()

    def _add(self) -> None:
        if self._reloader is not None:  # a new set: the reloader's thread may be in the old one
            self._reloader.extra_files = self._reloader.extra_files | self._files


def import_application(failed: FailedFiles) -> None:
    """
    Import the module of ASGI_APPLICATION, if it is set and there is one.

    Raises:
        Exception: what the module raised; its files are watched from now on.
    """
    module = str(getattr(settings, "ASGI_APPLICATION", None) or "").rpartition(".")[0]
    try:
        if module:
            import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            failed.watch(error, error.__traceback__)
            raise
        # the setting is wrong: the checks have a line for that
    except Exception as error:
        failed.watch(error, error.__traceback__)
        raise
