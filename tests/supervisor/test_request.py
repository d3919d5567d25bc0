# The slot of one request, by itself. What ASGI makes of it is in bridges/asgi/test_http.py.

import threading

import pytest
import trio
from trio.testing import MockClock

from greenroom.actors import ActorStopped, MailboxFull
from greenroom.actors._exits import ExitKind
from greenroom.bridges.engines import LocalEngine
from greenroom.supervisor import Options, Root
from greenroom.supervisor._request import ASKED, RequestSlot


async def a_cancelled() -> BaseException:
    kept: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept.append(cancelled)
            raise
    return kept[0]


CANCELLED = trio.run(a_cancelled)


@pytest.fixture
async def root() -> Root:
    return Root(LocalEngine(), options=Options(shutdown_seconds=3))


def slot(root: Root) -> RequestSlot:
    return RequestSlot(root, "/connections/http/1", "GET /")


async def test_work_that_returns(root: Root) -> None:
    """
    A request whose work returns has ended, and its reference with it.
    """
    request = slot(root)
    exit_ = await request.run(trio.lowlevel.checkpoint)

    assert (exit_.kind, exit_.reason) == (ExitKind.STOPPED, "done")
    assert (request.state, request.end, request.ended.is_set()) == ("ended", "done", True)
    assert not request.ref.alive


@pytest.mark.parametrize(
    ("error", "kind", "event"),
    [
        (ValueError("x"), ExitKind.CRASHED, "slot.crashed"),
        (SystemExit(3), ExitKind.FATAL, "slot.fatal"),
        (KeyboardInterrupt(), ExitKind.FATAL, "slot.fatal"),
        (CANCELLED, ExitKind.FATAL, "slot.fatal"),
        (BaseExceptionGroup("g", [CANCELLED]), ExitKind.FATAL, "slot.fatal"),
        (BaseExceptionGroup("g", [SystemExit()]), ExitKind.FATAL, "slot.fatal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
async def test_what_it_raises_becomes_the_record(
    root: Root, error: BaseException, kind: ExitKind, event: str
) -> None:
    """
    Nothing gets out but a cancellation of the server's own; each end is one event.
    """

    async def work() -> None:
        raise error

    exit_ = await slot(root).run(work)

    assert exit_.kind is kind
    assert root.events.counts()[event] == 1


async def test_a_cancellation_from_outside_goes_through(root: Root) -> None:
    """
    The server's cancellation is not an end of ours: it goes on, and nothing is recorded.
    """
    request = slot(root)

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    with trio.move_on_after(0) as scope:
        await request.run(work)

    assert scope.cancelled_caught
    assert request.ended.is_set()
    assert root.events.counts()["slot.fatal"] == 0


@pytest.mark.parametrize("from_thread", [False, True])
async def test_a_stop_gives_it_time(
    root: Root, from_thread: bool, autojump_clock: MockClock
) -> None:
    """
    Asked to stop, the work may go on for shutdown_seconds; then it is cancelled.
    """
    request = slot(root)
    asked = threading.Event()

    def ask() -> None:
        request.request_stop("enough")
        asked.set()

    async def work() -> None:
        if from_thread:
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        else:
            ask()
        await trio.sleep_forever()

    began = trio.current_time()
    exit_ = await request.run(work)

    assert (exit_.kind, exit_.reason) == (ExitKind.STOPPED, ASKED)
    assert round(trio.current_time() - began) == 3


async def test_a_second_stop_gives_no_more_time(root: Root, autojump_clock: MockClock) -> None:
    """
    The first stop's deadline holds; asked to stop after its end, a request stays ended.
    """
    request = slot(root)

    async def work() -> None:
        request.request_stop("enough")
        await trio.sleep(2)
        request.request_stop("I said enough")
        await trio.sleep_forever()

    began = trio.current_time()
    await request.run(work)
    assert round(trio.current_time() - began) == 3

    request.request_stop("still there?")
    assert request.state == "ended"


async def test_it_handles_no_messages(root: Root) -> None:
    """
    A cast is a dead letter, a call fails, before the end as after it.
    """
    request = slot(root)

    assert request.ref.cast({"type": "x"}) is False
    with pytest.raises(MailboxFull):
        await request.ref.call({"type": "x"})
    await request.run(trio.lowlevel.checkpoint)
    with pytest.raises(ActorStopped):
        await request.ref.call({"type": "x"})
    assert root.events.counts()["message.dead_letter"] == 2


async def test_on_fatal_shutdown_leaves() -> None:
    """
    With on_fatal="shutdown" a fatal request has the process leave.
    """
    left: list[str] = []
    root = Root(LocalEngine(), options=Options(on_fatal="shutdown"), leave=left.append)

    async def work() -> None:
        raise SystemExit

    await slot(root).run(work)
    assert left == ["fatal error in /connections/http/1"]
