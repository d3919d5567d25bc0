# What a pool's threads do around their jobs, and how what goes wrong in that is told.

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("greenroom.threads")


def nothing(*_: object) -> None:
    """Do nothing."""


def _always() -> bool:
    """Say yes."""
    return True


@dataclass(frozen=True)
class ThreadHooks:
    """
    What a pool's threads do around their jobs, each call made in the worker thread.

    A hook that raises is logged and otherwise ignored: it never costs a job its result.
    """

    before_job: Callable[[], object] = nothing
    """Runs before each job, in the job's context."""
    after_job: Callable[[BaseException | None], object] = nothing
    """Runs after each job, in its context, with what the job raised; the result waits for it."""
    on_idle: Callable[[], object] = nothing
    """
    Runs once when its thread has had nothing to do for `idle_seconds`.

    If it returns a number, it runs again when there was nothing to do for so many seconds more,
    `idle_seconds` at least.
    """
    on_exit: Callable[[], object] = nothing
    """Runs as the last act of its thread."""
    may_park: Callable[[], bool] = _always
    """Asked before a job gives its place away: whether another thread may run meanwhile."""
    goes_on: Callable[[], object] = nothing
    """
    Runs before a parked job goes on, and before its thread does what it is given meanwhile.

    If it returns True, `may_park` is asked anew behind what was given.
    """


def guarded(name: str, hook: Callable[..., object], *args: object) -> object:
    """Call *hook*; log what it raises, SystemExit included: the thread must go on."""
    try:
        return hook(*args)
    except BaseException as error:  # noqa: BLE001, ASYNC103 - in a thread there is no Cancelled
        thread = threading.current_thread().name
        log(logging.ERROR, "hook %s raised in thread %s", name, thread, error=error)
        return None  # noqa: ASYNC104


def log(level: int, text: str, *args: object, error: BaseException | None) -> None:
    """Log *text*, with *error*, and go on, whatever the project's logging does."""
    try:
        logger.log(level, text, *args, exc_info=error)
    except BaseException:  # noqa: BLE001, ASYNC103 - a filter raised; to stderr, as a handler's
        traceback.print_exc()
