# What is kept of a crash: the report, which outlives the exception and everything it holds.
#
# OTP's crash report has the last message, the state, the last events of the process and the
# client of the pending call; ours the same, but for the state, which is the user's, and with
# what the supervisor knew at that moment. A slot keeps no events of its own: they are looked
# up in the one stream, when it crashes. So an idle slot pays nothing for them, and a report
# goes back no further than the stream does.
#
# A traceback is put into words when somebody asks for it: to find what to underline in each
# line takes longer than all else of a restart, and of many crashes hardly one is looked at.

import time
from collections.abc import Sequence
from dataclasses import replace
from traceback import TracebackException
from typing import TYPE_CHECKING, cast

from ..actors._decider import Directive
from ..actors._errors import MOST_TEXT
from ..actors._exits import Exit, ExitKind
from ..actors._messages import Call
from ._dead_letters import CRASHED
from ._events import described
from ._standing import Left
from ._tree import CrashReport

if TYPE_CHECKING:
    from ._place import Place

CRASHES_KEPT = 5
MOST_WORDS = 100_000
"""Characters of a traceback."""
_MOST_LOOKED_AT = 50
_OWN = (
    "greenroom.actors.",
    "greenroom.supervisor.",
    "greenroom.bridges.channels.",  # what stands between an actor and a consumer of Channels' kind
    "greenroom.bridges.asgiref.",
    "greenroom.bridges.tracing.",
)


class Crash:
    """
    A crash as a slot keeps it: it holds no frame, so nothing of the incarnation lives on.
    """

    __slots__ = ("_report", "_trace")

    def __init__(self, report: CrashReport, trace: TracebackException | None) -> None:
        self._report = report
        self._trace = trace

    @property
    def brief(self) -> CrashReport:
        """The report, its traceback empty unless somebody has asked for it."""
        return self._report

    @property
    def report(self) -> CrashReport:
        """The whole report. Any thread."""
        trace = self._trace
        if trace is not None:
            self._report, self._trace = replace(self._report, traceback=_words(trace)), None
        return self._report


def crash_of(
    slot: "Place", exit_: Exit, item: object, left: int | None, directive: Directive | None
) -> Crash:
    """
    Return the record of *exit_*, whose error is cut to the user's own frames. Any thread.

    Args:
        slot: Whose it is; asked for what does not change, and for its past.
        exit_: The end of the incarnation, or what it was resumed after.
        item: What was being handled, if anything was.
        left: Restarts that its budget covered then.
        directive: What the class says of the error.
    """
    error = exit_.error
    assert error is not None
    _drop_own_frames(error)
    report = CrashReport(
        epoch=slot.epoch,
        at=time.time(),
        exception=name_of(error),
        text=described(error).partition(": ")[2],
        traceback="",
        message=exit_.what,
        path=slot.path,
        restarts=slot.epoch - 1,
        restarts_left=left,
        caller=item.caller if type(item) is Call else "",
        directive="" if directive is None else str(directive),
        recent=slot.past(),
    )
    trace = TracebackException.from_exception(error, compact=True)
    if _is_long(error):  # put into words at once, for it keeps all of the text
        return Crash(replace(report, traceback=_words(trace)), None)
    return Crash(report, trace)


def crash_facts(slot: "Place", exit_: Exit, directive: Directive | None) -> dict[str, object]:
    """Return what the event of a crash says: the error, in one line if it was expected."""
    facts: dict[str, object] = {"message": exit_.what}
    if exit_.error is not None and slot.expects(exit_.error):
        facts["error"] = described(exit_.error)  # one line, no traceback
    else:
        facts["exception"] = exit_.error
    if directive in (Directive.STOP, Directive.ESCALATE):  # why there will be no restart
        facts["directive"] = str(directive)
    return facts


def left_by(exit_: Exit) -> Left:
    """Return how an incarnation has ended, with no error in it: that would hold its frames."""
    if exit_.kind in (ExitKind.CRASHED, ExitKind.FATAL):
        return Left(f"{CRASHED}: {name_of(exit_.error)}", time.time())
    return Left(exit_.reason or exit_.kind.value, time.time())


def name_of(error: BaseException | None) -> str:
    """Return the name of *error*'s type; empty if there is none."""
    return type(error).__qualname__ if error is not None else ""


def _words(trace: TracebackException) -> str:
    """Return *trace* as text, of a long one its beginning and its end: there the frames are."""
    words = "".join(trace.format())
    if len(words) <= MOST_WORDS:
        return words
    half = MOST_WORDS // 2
    left_out = len(words) - MOST_WORDS
    return f"{words[:half]}\n... {left_out} characters are left out ...\n{words[-half:]}"


def _is_long(error: BaseException) -> bool:
    """Say whether *error*, or what it came of, has a text that is not told as a whole."""
    waiting = [error]
    for _ in range(_MOST_LOOKED_AT):
        if not waiting:
            return False
        each = waiting.pop()
        if len(described(each)) > MOST_TEXT:
            return True
        waiting += _inside(each)
        cause = each.__cause__ or each.__context__
        if cause is not None:
            waiting.append(cause)
    return False


def _inside(error: BaseException) -> Sequence[BaseException]:
    """Return some of what is in *error*, if it is a group."""
    if not isinstance(error, BaseExceptionGroup):
        return ()
    return cast("BaseExceptionGroup[BaseException]", error).exceptions[:_MOST_LOOKED_AT]


def _drop_own_frames(error: BaseException) -> None:
    """Begin *error*'s traceback where the user's code begins, if it has any."""
    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(_OWN):
        trace = trace.tb_next
    if trace is not None:
        error.with_traceback(trace)  # not by assignment: an error may be a frozen dataclass
