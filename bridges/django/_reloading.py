# What Django's autoreloader lacks. First: it does not watch the files of a project that failed.
#
# It watches the modules that there are, and a module whose import raised is not there. Of such
# an import Django remembers the one file in which the error was raised, which is asgi.py if that
# has the syntax error, and a file of a library if asgi.py calls one wrongly. So all files that
# the traceback names are watched here, and asgi.py in any case.

import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from django.conf import settings
from django.utils.autoreload import (
    DJANGO_AUTORELOAD_ENV,
    StatReloader,
    autoreload_started,
    get_child_arguments,
    get_reloader,
    start_django,
)

from ._settings import problems


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
    if problems():
        return  # the checks have a line for that
    try:
        if module:
            import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            failed.watch(error, error.__traceback__)
            raise
        # the setting is wrong: the checks have a line for that
    except SystemExit as error:  # which would end this thread without a word
        failed.watch(error, error.__traceback__)
        raise RuntimeError(f"the import of {module} raised SystemExit({error.code!r})") from error
    except Exception as error:
        failed.watch(error, error.__traceback__)
        raise


# -- the parent ---------------------------------------------------------------------------------
#
# A parent process starts a child for each version of the code, as Django's does. But:
#
# Django's ends with a child that ends by an error. A child whose settings fail does, before there
# is a reloader in it. So each child says through a pipe that it came as far as our command, and
# that it makes room for the next. The two bytes of a reload are never read while all goes well: a
# pipe holds those of 32,000.
#
# And Django's kills the child when it is told to end: at once by SIGTERM, after a quarter of a
# second by Ctrl-C. Here a child has time to close its WebSockets and streams.

logger = logging.getLogger("django.utils.autoreload")  # where Django's reloader says it
_PIPE = "GREENROOM_RUNSERVER_PIPE"
_ARRIVED, _LEAVES = b"+", b"-"
RELOADS = 3
"""The status by which Django's reloader asks for the next process."""
PATIENCE_SECONDS = 2.0
"""How long a child waits for its server."""
_FORCE_SECONDS = PATIENCE_SECONDS + 1.0


class Children:
    """The processes that serve, one after the other."""

    def __init__(self) -> None:
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_inheritable(write_end, True)
        os.environ[_PIPE] = str(write_end)

    def run(self, say: Callable[[str], object]) -> int:
        """
        Run them until one ends by itself; return its status.

        Raises:
            KeyboardInterrupt: It was SIGINT; the child has ended.
            SystemExit: It was SIGTERM; the child has ended.
        """
        before = signal.signal(signal.SIGTERM, _exit)
        try:
            while True:
                status = self._run_one()
                if self._settings_failed(status):
                    say("The settings failed. The next edit starts the server again.")
                    self._wait_for_edit()
                elif status != RELOADS:
                    return status
        finally:
            signal.signal(signal.SIGTERM, before)

    def _run_one(self) -> int:
        environment = {**os.environ, DJANGO_AUTORELOAD_ENV: "true"}
        command = get_child_arguments()
        child = subprocess.Popen(command, env=environment, close_fds=False)  # noqa: S603 - as Django
        try:
            return child.wait()
        except KeyboardInterrupt:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_FORCE_SECONDS)  # a terminal tells it, too
            _end(child)
            raise
        except SystemExit:
            _end(child)
            raise
        finally:
            child.kill()  # if it runs, this is the second signal
            child.wait()

    def _settings_failed(self, status: int) -> bool:
        """Whether the last child ended with *status* before it came to the command."""
        try:
            said = os.read(self._read_end, 1 << 20)
        except BlockingIOError:
            said = b""
        return status == 1 and not said.endswith(_ARRIVED)

    def _wait_for_edit(self) -> None:
        """Wait until a file of the settings' folder, or of a module loaded here, is another."""
        reloader = StatReloader()
        file = import_module(settings.SETTINGS_MODULE).__file__
        if file is not None:
            reloader.watch_dir(Path(file).parent, "**/*.py")
        before = dict(reloader.snapshot_files())
        while dict(reloader.snapshot_files()) == before:
            time.sleep(reloader.SLEEP_TIME)


def _exit(*_: object) -> None:
    sys.exit(0)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_FORCE_SECONDS)


class Child:
    """The child's side of it; without a parent of ours it tells nobody."""

    def __init__(self) -> None:
        number = os.environ.pop(_PIPE, "")  # not for processes that the project starts
        self._write_end = int(number) if number else None
        self._tell(_ARRIVED)

    def makes_room(self) -> None:
        """Say that the reloader ends this process."""
        self._tell(_LEAVES)

    def _tell(self, what: bytes) -> None:
        if self._write_end is not None:
            os.write(self._write_end, what)


def watch_and_run(run: Callable[..., object], **options: Any) -> None:
    """
    Run *run* in a thread and watch the files, as Django's `run_with_reloader` does in its child.

    But one SIGTERM is enough: when all processes are told to end, the parent's comes behind the
    first, and must not cut short what the first began.

    Raises:
        SystemExit: It was SIGTERM, or a file has changed (`RELOADS`).
    """
    signal.signal(signal.SIGTERM, leave)
    with suppress(KeyboardInterrupt):
        reloader = get_reloader()
        logger.info("Watching for file changes with %s", type(reloader).__name__)
        start_django(reloader, run, None, **options)


def leave(*_: object) -> None:
    """
    End by SIGTERM; the next one is ignored.

    Raises:
        SystemExit: Always.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)
