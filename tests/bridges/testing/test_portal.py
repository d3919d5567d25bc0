# trio in a thread of its own: the header's invariants, and the two flavours of what lives there.

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from layer_mailbox import until
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import EventStreamConsumer, WebsocketConsumer, handles
from greenroom.actors._lowlevel import LoopThread
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    HandshakeRefused,
    NothingCame,
    NotStopped,
    StartupFailed,
    open_server,
    run_server,
    serve,
    virtual_clock,
)
from greenroom.bridges.testing._portal import open_portal
from greenroom.bridges.testing._remote import Awaiting, Blocking


class Echo(WebsocketConsumer):
    async def connect(self, message):
        if self.scope["query_string"] == b"no":
            await self.close()
        else:
            await self.accept()

    @handles("who")
    async def on_who(self, message):
        return self.epoch

    async def receive(self, text):
        if text == "sleep":
            await trio.sleep(86400)
        await self.send(text=text)


class Thing:
    """Lives on a portal's loop."""

    __module__ = "greenroom.tests"  # as a driver's would

    def __init__(self) -> None:
        self.log: list[object] = []

    def plain(self, value: object, *, twice: bool = False) -> object:
        self.log.append(threading.current_thread().name)
        return [value, value] if twice else value

    async def slow(self, seconds: float) -> str:
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            self.log.append("cancelled")
            raise
        return "slept"

    async def fail(self) -> None:
        raise ValueError("mine")

    @asynccontextmanager
    async def nursery(self) -> AsyncIterator["Thing"]:
        task = trio.lowlevel.current_task()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield self
            nursery.cancel_scope.cancel()
        self.log.append(trio.lowlevel.current_task() is task)

    async def late(self, timeout: float) -> str:
        assert timeout > 1
        await trio.sleep(0.3)
        return "late"

    @asynccontextmanager
    async def late_manager(self, timeout: float) -> AsyncIterator[str]:
        yield await self.late(timeout)

    async def numbers(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


@asynccontextmanager
async def thing() -> AsyncIterator[Thing]:
    yield Thing()


def threads() -> set[str]:
    return {each.name for each in threading.enumerate() if each.name.startswith("greenroom test")}


def test_blocking() -> None:
    """
    Methods, results, errors, context managers and iterators are there for plain functions.
    """
    with open_portal(thing) as (portal, target):
        remote = Blocking(portal, target)
        assert remote.plain(1, twice=True) == [1, 1]
        assert remote.slow(0) == "slept"
        with pytest.raises(ValueError, match="mine"):
            remote.fail()
        with remote.nursery() as again:
            assert isinstance(again, Blocking)
            assert again.plain(2) == 2
        assert list(remote.numbers()) == [0, 1, 2]
        with pytest.raises(AttributeError, match="nothing"):
            remote.nothing()
        assert remote.log == ["greenroom test server", "greenroom test server", True]


def test_one_task() -> None:
    """
    ONE TASK: a context manager that holds a nursery is entered and left in one task.
    """
    with open_portal(thing) as (portal, target):
        manager = Blocking(portal, target).nursery()
        manager.__enter__()
        assert portal.call(target.plain, "between") == "between"
        manager.__exit__(None, None, None)
        assert target.log[-1] is True


def test_bounded() -> None:
    """
    BOUNDED: past its patience a call is cancelled, and the error says where it waits.
    """
    with open_portal(thing) as (portal, target):
        portal.patience = 1  # in which a busy machine has to come to it
        with pytest.raises(NothingCame, match=r"(?s)Thing.slow did not return .* in slow\n"):
            portal.call(target.slow, 3600)
        portal.patience = 60
        portal.call(trio.sleep, 0)
        assert target.log == ["cancelled"]


@pytest.mark.parametrize("call", ["late", "late_manager"])
def test_bounded_behind_the_calls_own_timeout(call: str) -> None:
    """
    BOUNDED: the patience begins where the timeout of the call ends, on the real clock.
    """
    with open_portal(thing) as (portal, target):
        remote = Blocking(portal, target)
        portal.patience = 0.1
        with pytest.raises(NothingCame, match=r"did not return within 0\.1 s"):
            remote.slow(3600)
        entered = getattr(remote, call)(timeout=30)
        if call == "late_manager":
            with entered as word:
                entered = word
                portal.patience = 60  # for the way out, which may take its time, too
        assert entered == "late"
        portal.patience = 60


def test_no_leak() -> None:
    """
    NO LEAK: what is under way when the portal is left is cancelled; loop and thread end.
    """
    with open_portal(thing) as (portal, target):
        future = portal.submit(target.slow, 3600)
        portal.call(trio.sleep, 0)
        assert threads() == {"greenroom test server"}
    assert target.log == ["cancelled"]
    with pytest.raises(NotStopped, match="meanwhile"):
        future.result(0)
    with pytest.raises(NotStopped, match="nothing can be asked of it"):
        portal.call(target.plain, 1)
    assert threads() == set()


def test_still_clock() -> None:
    """
    STILL CLOCK: virtual time passes while the test waits, and not while it does something else.
    """
    clock = virtual_clock()
    with open_portal(thing, clock) as (portal, target):
        began = portal.call(trio.current_time)
        portal.submit(target.slow, 10).result(20)
        after = portal.call(trio.current_time)
        assert after - began >= 10
        portal._loop.call_soon(lambda: portal._nursery.start_soon(target.slow, 500))
        time.sleep(0.05)  # much more than a clock that moves takes to be there
        assert portal.call(trio.current_time) < after + 500


def test_still_clock_until_a_call_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    STILL CLOCK: no time passes in a test whose thread is held up while it asks.
    """
    with open_portal(thing, virtual_clock()) as (portal, target):
        began = portal.call(trio.current_time)
        portal._loop.call_soon(lambda: portal._nursery.start_soon(target.slow, 500))
        portal.call(trio.lowlevel.checkpoint)

        def held_up(self: LoopThread, *args: Any, **options: Any) -> None:
            time.sleep(0.05)  # much more than a clock that moves takes to be there
            call_soon(self, *args, **options)
            time.sleep(0.05)

        call_soon = LoopThread.call_soon
        monkeypatch.setattr(LoopThread, "call_soon", held_up)
        for _ in range(2):
            assert portal.call(trio.current_time) == began
        monkeypatch.undo()


def test_what_the_block_raises() -> None:
    """
    It comes out as it is, with a note of what the loop ended with.
    """

    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        yield
        raise OSError("theirs")

    with pytest.raises(OSError, match="theirs"), open_portal(broken):
        pass
    with pytest.raises(AssertionError, match="^mine") as failed, open_portal(broken):
        raise AssertionError("mine")
    assert "OSError: theirs" in failed.value.__notes__[0]


def test_a_loop_that_will_not_end() -> None:
    """
    It is reported, with where its tasks wait.
    """
    go = trio.Event()

    async def stays() -> None:
        with trio.CancelScope(shield=True):
            await go.wait()

    @asynccontextmanager
    async def stubborn() -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stays)
            yield

    with pytest.raises(NotStopped, match="(?s)did not stop within 0.1 s.* in stays"):
        with open_portal(stubborn) as (portal, _):
            portal.call(wait_all_tasks_blocked)  # it waits there already
            portal.patience = 0.1
    portal._loop.call_soon(go.set)
    for each in threading.enumerate():
        if each.name == "greenroom test server":
            each.join(20)


def test_a_start_that_fails() -> None:
    """
    It is raised where the server was to be used, and no thread is left.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(StartupFailed, match="no database"), run_server(application):
        pytest.fail("it started")
    assert threads() == set()


def test_its_own_thread_is_refused() -> None:
    """
    Who would wait for the loop on the loop's own thread is told so.
    """
    with open_portal(thing) as (portal, target):
        with pytest.raises(RuntimeError, match="this is the server's own thread"):
            portal.call(lambda: portal.call(target.plain, 1))


def test_on_asyncio() -> None:
    """
    A coroutine on asyncio awaits the same methods; cancelled, it cancels them.
    """

    async def main() -> list[object]:
        with open_portal(thing) as (portal, target):
            remote = Awaiting(portal, target)
            assert remote.plain(1) == 1
            assert await remote.slow(0) == "slept"
            with pytest.raises(ValueError, match="mine"):
                await remote.fail()
            async with remote.nursery() as again:
                assert isinstance(again, Awaiting)
            assert [each async for each in remote.numbers()] == [0, 1, 2]
            task = asyncio.ensure_future(remote.slow(3600))
            await asyncio.sleep(0)  # it has asked when this returns
            portal.call(trio.sleep, 0)  # and begun when this does, whose own end is counted soon
            async with asyncio.timeout(60):
                while portal._waiting != 1:  # noqa: ASYNC110 - a thread counts
                    await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await remote.slow(0)
            return target.log

    assert asyncio.run(main()) == ["greenroom test server", True, "cancelled"]


async def test_on_trio() -> None:
    """
    So does a coroutine on another loop of trio's.
    """
    with open_portal(thing) as (portal, target):
        remote = Awaiting(portal, target)
        assert await remote.slow(0) == "slept"
        with trio.move_on_after(0.01) as scope:
            await remote.slow(3600)
        assert scope.cancelled_caught
        await until(lambda: target.log)  # which comes in its loop's time
        assert target.log == ["cancelled"]


def test_serve_on_asyncio() -> None:
    """
    It is refused there, and a connection that was not entered has no messages: both say what to do.
    """

    async def main() -> None:
        with pytest.raises(RuntimeError, match="write `async with open_server"):
            async with serve(Application()):
                pytest.fail("it runs")
        async with open_server(Application()) as server:
            with pytest.raises(AttributeError, match="'send_text'.* `async with server.web"):
                closed: Any = server.websocket("/")
                closed.send_text("x")

    asyncio.run(main())
    with run_server(Application()) as server:
        with pytest.raises(AttributeError, match="'send_text'.* Write `with server.websocket"):
            closed: Any = server.websocket("/")
            closed.send_text("x")


def test_open_server_on_asyncio() -> None:
    """
    On asyncio the driver is awaited as on trio, the clock virtual if it is to be.
    """

    async def main() -> None:
        async with open_server(Echo.as_asgi(), clock=virtual_clock()) as server:
            async with server.websocket("/") as client:
                client.send_text("sleep")
                assert await client.receive_text(timeout=90000) == "sleep"
                assert client.slot.epoch == 1
                ref = server.root.find(client.slot.path)
                assert await ref.call({"type": "who"}, timeout=1) == 1
            with pytest.raises(HandshakeRefused):
                async with server.websocket("/?no"):
                    pytest.fail("it was accepted")

    asyncio.run(main())


async def test_open_server_on_trio() -> None:
    """
    On trio it is the driver itself, in the test's own loop; a clock is refused there.
    """
    async with open_server(Echo.as_asgi()) as server:
        assert server.root.loop.is_here()
        async with server.websocket("/") as client:
            client.send_text("x")
            assert await client.receive_text() == "x"
    with pytest.raises(TypeError, match=r"give it to trio.run\(\)"):
        async with open_server(Echo.as_asgi(), clock=virtual_clock()):
            pytest.fail("it started")


class Feed(EventStreamConsumer):
    async def connect(self, message):
        await self.accept()
        await self.send("hello", id="1")


def test_drivers_of_other_protocols() -> None:
    """
    What a driver has besides is there as well, without a word about it.
    """
    with run_server(Application(http=Feed.as_asgi())) as server:
        with server.event_stream("/") as stream:
            event = stream.next_event()
            assert (event.data, stream.last_event_id) == ("hello", "1")
        with server.request("GET", "/") as request:
            assert request.begun() == 200
            assert b"hello" in request.receive()
