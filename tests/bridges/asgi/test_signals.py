# SIGTERM and SIGINT where nobody else takes them. Real signals to this very process.

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest
import trio

from greenroom.bridges.asgi import Application
from greenroom.bridges.asgi._signals import leave, stop_on_signal, takeable
from greenroom.bridges.testing import serve

CAUGHT: list[int] = []


def handler(number: int, frame: FrameType | None) -> None:
    CAUGHT.append(number)


@pytest.fixture(autouse=True)
def _handled() -> Iterator[None]:
    """Let no test end this process: SIGTERM has a handler of ours unless a test says else."""
    CAUGHT.clear()
    before = signal.signal(signal.SIGTERM, handler)
    yield
    signal.signal(signal.SIGTERM, before)


def test_only_default_dispositions_are_taken() -> None:
    """
    A signal that has a handler belongs to whoever set it.
    """
    assert takeable() == [signal.SIGINT]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert takeable() == [signal.SIGTERM, signal.SIGINT]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert takeable() == [signal.SIGINT]


async def test_trios_own_handler_is_the_default() -> None:
    """
    Inside trio.run SIGINT has trio's handler, which counts as the default; a receiver does not.
    """
    assert signal.SIGINT in takeable()
    with trio.open_signal_receiver(signal.SIGINT):
        assert signal.SIGINT not in takeable()


async def test_no_signal_is_taken_off_the_main_thread() -> None:
    """
    Only the main thread may set handlers, so elsewhere none is taken.
    """
    assert await trio.to_thread.run_sync(takeable) == []


async def test_a_signal_stops_the_tree_and_has_its_effect_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The first signal drains; when the tree has stopped it is raised again, by default.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raised: list[tuple[int, object, str]] = []

    def raise_signal(number: int) -> None:
        raised.append((number, signal.getsignal(number), server.root.state))

    async with serve(Application()) as server:
        monkeypatch.setattr("greenroom.bridges.asgi._signals.signal.raise_signal", raise_signal)
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.fail_after(10):
            await server.root.stopped.wait()
            while not raised:
                await trio.lowlevel.checkpoint()

    assert raised == [(signal.SIGTERM, signal.SIG_DFL, "stopped")]


async def test_a_normal_end_restores_the_dispositions() -> None:
    """
    After lifespan.shutdown the signals are as they were.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    before = signal.getsignal(signal.SIGINT)
    async with serve(Application()):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is before


async def test_where_nothing_is_to_be_taken_it_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With every signal taken by others there is nothing to wait for.
    """
    monkeypatch.setattr("greenroom.bridges.asgi._signals.takeable", list)
    async with trio.open_nursery() as nursery:
        await nursery.start(stop_on_signal, None)


def test_leave_is_a_sigterm() -> None:
    """
    leave() has the process drain as SIGTERM would.
    """
    assert threading.current_thread() is threading.main_thread()
    leave("fatal error in /connections/chat/1")

    assert CAUGHT == [signal.SIGTERM]
