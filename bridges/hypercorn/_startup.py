# How a wrong configuration is told when hypercorn loads the application.
#
# hypercorn imports the application in a worker process that multiprocessing has
# spawned. An exception there prints a raw traceback, and so does a lifespan that failed.
# multiprocessing treats SystemExit("text") kindly: the text, no traceback, status 1 for
# the worker. So does the command itself when it loads the application in its own process
# (`--workers 0`).
#
# The command's own status stays hypercorn's: 0 after its only worker ended with 1 (it
# overwrites the worker's), which nothing in a worker can change but a signal to the
# parent. `manage.py serve` ends with 1.
#
# Whether hypercorn is the caller is read from the call stack and not from sys.argv:
# an import happens below hypercorn's load_application(), a request or the lifespan
# below its worker function, whichever way hypercorn was started. Somebody who calls
# hypercorn's API (`hypercorn.trio.serve(app, config)`) from a program of their own is
# not cut off by this: there an exception is an exception.

import faulthandler
import inspect
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

_serves = False

_LOADS_OR_WORKS = {"load_application", "trio_worker", "asyncio_worker", "uvloop_worker"}


def in_hypercorn_worker() -> bool:
    """
    Whether the caller runs below hypercorn's command: at import or inside a worker.

    Looks at the calling thread's own stack, so a helper thread answers False.
    """
    frame = inspect.currentframe()
    while frame is not None:
        module = f"{frame.f_globals.get('__name__')}."
        if frame.f_code.co_name in _LOADS_OR_WORKS and module.startswith("hypercorn."):
            return True
        frame = frame.f_back
    return False


def owns_process() -> bool:
    """Whether this process is hypercorn's or ours, and not a program's that uses hypercorn."""
    return in_hypercorn_worker() or _serves


@contextmanager
def serving() -> Generator[None, None, None]:
    """Say that this process does nothing but serve in this block: `manage.py serve` in its own."""
    global _serves  # noqa: PLW0603 - it is a fact about the process
    before, _serves = _serves, True
    try:
        yield
    finally:
        _serves = before


def refuse(message: str, error: type[Exception]) -> NoReturn:
    """
    End with one readable line below hypercorn's command; elsewhere raise *error*.

    For use while the application is imported and constructed.

    Args:
        message: What is wrong and what to do, one line, no full traceback needed.
        error: Class of the exception for everybody else (tests, `manage.py`, a shell);
            made from *message* alone.

    Raises:
        SystemExit: below hypercorn; its text is printed, the worker's exit status is 1.
        Exception: an *error*, elsewhere.
    """
    if in_hypercorn_worker():
        raise SystemExit(f"greenroom: {message}") from None
    raise error(message)


def leave(message: str) -> NoReturn:
    """
    Print *message* as one line on stderr and end this process at once, with status 1.

    For a worker whose start-up failed inside the running loop, where an exception
    would end in a raw traceback. Nothing is cleaned up: no
    ``finally`` runs, no atexit function, no thread is waited for.
    """
    sys.stdout.flush()
    sys.stderr.write(f"greenroom: {message}\n")
    sys.stderr.flush()
    os._exit(1)


def abandon(message: str) -> NoReturn:
    """
    End this process at once, with status 1, after every thread's stack: nothing else helps.

    For a tree that has not stopped within its total deadline. As :func:`leave`, otherwise.
    """
    sys.stdout.flush()
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    leave(message)
