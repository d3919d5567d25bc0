# What an exception that left user code says. Pure.

import pytest
import trio

from greenroom.actors import Disconnected, Stale
from greenroom.actors._exits import Exit, ExitKind, Verdict, judge, stopped
from greenroom.actors._messages import Stop


async def a_cancelled() -> BaseException:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as caught:
            kept = caught
            raise
    return kept


GONE, STALE = Disconnected("/c/1", 1001), Stale("/c/1", 1)
CANCELLED = trio.run(a_cancelled)


def group(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("group", errors)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ValueError(), Verdict.CRASH),
        (KeyboardInterrupt(), Verdict.FATAL),
        (SystemExit(3), Verdict.FATAL),
        (GeneratorExit(), Verdict.CRASH),
        (GONE, Verdict.DISCONNECTED),
        (STALE, Verdict.STALE),
        (CANCELLED, Verdict.FOREIGN),
        (group(CANCELLED, CANCELLED), Verdict.FOREIGN),
        (group(ValueError(), group(SystemExit())), Verdict.FATAL),
        (group(CANCELLED, KeyboardInterrupt()), Verdict.FATAL),
        (group(CANCELLED, ValueError()), Verdict.CRASH),
        (group(GONE, STALE), Verdict.DISCONNECTED),
        (group(STALE, STALE, CANCELLED), Verdict.STALE),
        (group(GONE, ValueError()), Verdict.CRASH),
    ],
)
def test_the_worst_leaf_decides(error: BaseException, verdict: Verdict) -> None:
    """
    Groups are looked into, and the worst of what they hold decides.
    """
    assert judge(error) is verdict


def test_a_stop_keeps_its_code_and_words() -> None:
    """
    The end that a stop asks for has the stop's reason, code and text.
    """
    exit_ = stopped(Stop("shutdown", 1012, "later"))

    assert exit_ == Exit(ExitKind.STOPPED, "shutdown", code=1012, text="later")


def test_an_error_on_the_way_is_recorded_once() -> None:
    """
    An end keeps the first error that came up on the way, and none of work told to stop.
    """
    exit_ = Exit(ExitKind.STOPPED, "shutdown")
    first, second = ValueError("first"), ValueError("second")

    assert exit_.with_error(first, "frame", told=True) is exit_
    failed = exit_.with_error(first, "frame", told=False)
    assert (failed.kind, failed.error, failed.what) == (ExitKind.STOPPED, first, "frame")
    assert failed.with_error(second, "other", told=False) is failed
