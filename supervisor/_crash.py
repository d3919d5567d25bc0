# What is written down of a crash: one record, made where it happened.

import time
import traceback

from ._events import described
from ._tree import CrashReport

_OWN = ("greenroom.actors.", "greenroom.supervisor.")


def crash_report(error: BaseException, epoch: int, what: str) -> CrashReport:
    """
    Return the record of *error*, in incarnation *epoch*, while it did *what*.

    Its traceback begins where the user's code begins, here and wherever it is shown again.
    """
    _drop_own_frames(error)
    return CrashReport(
        epoch=epoch,
        at=time.time(),
        exception=name_of(error),
        text=described(error).partition(": ")[2],
        traceback="".join(traceback.format_exception(error)),
        message=what,
    )


def _drop_own_frames(error: BaseException) -> None:
    """Begin *error*'s traceback where the user's code begins, if it has any."""
    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(_OWN):
        trace = trace.tb_next
    if trace is not None:
        error.with_traceback(trace)  # not by assignment: an error may be a frozen dataclass


def name_of(error: BaseException | None) -> str:
    """Return the name of *error*'s type; "" without one."""
    return type(error).__qualname__ if error is not None else ""
