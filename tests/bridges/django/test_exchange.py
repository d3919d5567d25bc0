# The channel between a view's thread and its request's task.

import threading
from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.django._exchange import HIGH_WATER, ClientGone, Exchange, Head

HEAD = Head(200, [])


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


async def joined(thread: threading.Thread) -> None:
    await trio.to_thread.run_sync(thread.join, 10)
    assert not thread.is_alive()


async def test_pressure() -> None:
    """
    A thread waits as soon as HIGH_WATER bytes are unsent, and goes on when they are taken.
    """
    exchange = Exchange()
    written: list[int] = []
    full = threading.Event()

    def work() -> None:
        exchange.start(HEAD)
        for number in range(3):
            written.append(number)
            if number == 1:
                full.set()
            exchange.write(b"x" * HIGH_WATER)
        exchange.finish(None)

    thread = in_thread(work)
    assert await trio.to_thread.run_sync(full.wait, 10)
    assert written == [0, 1]
    sizes: list[int] = []
    while (chunk := await exchange.next_chunk()) is not None:
        sizes.append(len(chunk))
        assert len(chunk) == HIGH_WATER
    await joined(thread)

    assert (len(sizes), exchange.complete) == (3, True)


async def test_inert() -> None:
    """
    After close() a waiting write raises ClientGone, and so does every later one.
    """
    exchange = Exchange()
    raised: list[bool] = []
    first = threading.Event()

    def work() -> None:
        exchange.start(HEAD)
        exchange.write(b"x" * HIGH_WATER)
        first.set()
        for _ in range(2):
            try:
                exchange.write(b"more")
            except ClientGone:
                raised.append(True)
        exchange.finish(None)

    thread = in_thread(work)
    assert await trio.to_thread.run_sync(first.wait, 10)
    exchange.close()
    await joined(thread)

    assert raised == [True, True]
    assert not exchange.complete
    assert repr(exchange) == "<Exchange closed, 0 bytes unsent>"


async def test_inert_also_for_nothing() -> None:
    """
    A write of no bytes raises ClientGone too: a stream that has only those would never end.
    """
    exchange = Exchange()
    exchange.start(HEAD)
    exchange.write(b"")
    exchange.close()

    with pytest.raises(ClientGone):
        exchange.write(b"")


async def test_one_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A whole response wakes the task once, when the view's thread is done with it.
    """
    exchange = Exchange()
    wakes: list[None] = []
    wake = exchange._parker.wake
    monkeypatch.setattr(
        type(exchange._parker), "wake", lambda _self: (wakes.append(None), wake_slot[0]())
    )
    wake_slot = [wake]
    heads: list[Head | None] = []

    async def task() -> None:
        heads.append(await exchange.head())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        await wait_all_tasks_blocked()
        exchange.answer(HEAD, b"all of it")
        await wait_all_tasks_blocked()
        assert (wakes, heads) == ([], [])
        exchange.finish(None)

    assert (len(wakes), heads) == (1, [HEAD])
    assert await exchange.next_chunk() == b"all of it"
    assert await exchange.next_chunk() is None


async def test_together() -> None:
    """
    Chunks that wait are joined to one; the first goes out without waiting for a second.
    """
    exchange = Exchange()
    exchange.start(HEAD)
    exchange.write(b"a")
    assert await exchange.next_chunk() == b"a"
    for letter in (b"b", b"c", b"", b"d"):
        exchange.write(letter)
    exchange.finish(None)

    assert await exchange.next_chunk() == b"bcd"
    assert await exchange.next_chunk() is None


async def test_an_error_ends_it() -> None:
    """
    What the thread raised is raised for the task, once, and the response is not complete.
    """
    exchange = Exchange()
    exchange.finish(LookupError("no"))

    assert await exchange.head() is None
    assert not exchange.complete
    with pytest.raises(LookupError, match="no"):
        exchange.raise_error()
    exchange.raise_error()


async def test_a_cancelled_wait_loses_nothing() -> None:
    """
    A task cancelled while it waits for a chunk gets that chunk the next time it asks.
    """
    exchange = Exchange()
    exchange.start(HEAD)
    with trio.move_on_after(0):
        await exchange.next_chunk()
    exchange.write(b"still here")

    assert await exchange.next_chunk() == b"still here"


def test_a_loop_that_has_ended_closes_it() -> None:
    """
    A view that outlives its server is told with the next write that nobody is there.
    """

    async def main() -> Exchange:
        exchange = Exchange()
        exchange.start(HEAD)
        with trio.move_on_after(0):
            await exchange.next_chunk()
        return exchange

    exchange = trio.run(main)
    exchange.write(b"into the void")
    with pytest.raises(ClientGone):
        exchange.write(b"again")


async def test_no_watch_while_a_thread_has_it() -> None:
    """
    A watch that is due begins when the thread gives the request away, not while it has it.
    """
    exchange = Exchange()
    exchange.begin()
    exchange.look_out()
    watched: list[str] = []

    async def task() -> None:
        while (function := await exchange.called()) is not None:
            await trio.lowlevel.checkpoint()
            await function()
            watched.append("until a thread had it again")
            if len(watched) < 3:
                exchange.look_out()  # as a lookout does that does not run

    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        await wait_all_tasks_blocked()
        assert watched == []
        exchange.leave()
        await wait_all_tasks_blocked()
        exchange.begin()
        await wait_all_tasks_blocked()
        assert len(watched) == 1
        exchange.finish(None)


async def test_it_ends_once() -> None:
    """
    What cut a stream off is raised, also if its thread, which hears of it, ends before that.
    """
    exchange = Exchange()
    exchange.start(HEAD)
    exchange.fail(LookupError("its pool is closed"))
    with pytest.raises(ClientGone):
        exchange.write(b"more")
    exchange.finish(None)

    with pytest.raises(LookupError):
        exchange.raise_error()


async def test_what_has_ended_does_not_fail() -> None:
    """
    A response that is whole when its pool closes is still sent as it is.
    """
    exchange = Exchange()
    exchange.answer(HEAD, b"all of it")
    exchange.finish(None)
    exchange.fail(LookupError("its pool is closed"))

    exchange.raise_error()
    assert not exchange.closed
    assert await exchange.next_chunk() == b"all of it"
