# A handler with a timeout: @timeout, and @handles(..., timeout=); and one that is cancelled when
# the connection ends, or is not.

import threading
import time
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    CallFailed,
    HandlerTimeout,
    WebsocketConsumer,
    cancelled_on_disconnect,
    concurrent,
    handles,
    timeout,
)
from greenroom.bridges.client import WebsocketClient
from greenroom.bridges.testing import HandshakeRefused, virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Slow(Actor):
    """A handler of each kind that overruns, and one that does not."""

    max_restarts = None

    @handles("sleep", timeout=2.0)
    async def sleep(self, message: dict[str, Any]) -> str:
        await trio.sleep(message["seconds"])
        return "slept"

    @handles("beside", timeout=2.0, concurrent=2)
    async def beside(self, message: dict[str, Any]) -> str:
        await trio.sleep(message["seconds"])
        return "slept"

    @handles("epoch")
    async def tell(self, message: object) -> int:
        return self.epoch


@pytest.mark.parametrize("kind", ["sleep", "beside"])
async def test_overrunning_is_a_crash(clock: MockClock, kind: str) -> None:
    """
    Past its timeout a handler is cancelled: the error names it and the seconds, the next
    incarnation goes on, and the caller is told.
    """
    async with running(Slow) as server:
        ref = server.root.find("/residents/slow")
        assert await ref.call({"type": kind, "seconds": 1.5}, timeout=60) == "slept"
        began = trio.current_time()
        with pytest.raises(CallFailed) as failed:
            await ref.call({"type": kind, "seconds": 50}, timeout=60)

        assert trio.current_time() - began == pytest.approx(2, abs=0.5)
        cause = failed.value.__cause__
        assert isinstance(cause, HandlerTimeout)
        assert (cause.handler, cause.seconds) == (kind, 2.0)
        assert "ran longer than its timeout of 2 s" in str(cause)
        assert await ref.call({"type": "epoch"}, timeout=60) == 2


async def test_a_thread_is_told() -> None:
    """
    A `def` handler that overruns gets Stale at its next `self.*`, and that is its crash.
    """
    told: list[str] = []

    class Threaded(Actor):
        @handles("spin", timeout=0.001)
        def spin(self, message: object) -> None:
            try:
                while True:
                    self.join("somewhere")
                    time.sleep(0)
            except Exception as error:
                told.append(type(error).__name__)
                raise

    async with running(Threaded) as server:
        crashed = watch(server, "slot.crashed")
        server.root.find("/residents/threaded").cast({"type": "spin"})
        crash = await crashed.until()

    assert told == ["Stale"]
    assert isinstance(crash.facts["exception"], HandlerTimeout)


async def test_it_counts_from_when_the_handler_begins(clock: MockClock) -> None:
    """
    The wait for a thread is no fault of the handler's: it is not counted.
    """
    from greenroom.supervisor import Options

    gate = threading.Event()

    class Holder(Actor):
        @handles("hold")
        def hold(self, message: object) -> None:
            gate.wait()

    class Queued(Actor):
        @handles("quick", timeout=2.0)
        def quick(self, message: object) -> str:
            return "done"

    async with running(Holder, Queued, options=Options(consumer_threads=1)) as server:
        server.root.find("/residents/holder").cast({"type": "hold"})
        async with trio.open_nursery() as nursery:
            answers: list[object] = []

            async def ask() -> None:
                ref = server.root.find("/residents/queued")
                answers.append(await ref.call({"type": "quick"}, timeout=1000))

            nursery.start_soon(ask)
            clock.jump(100)
            gate.set()

        assert answers == ["done"]
        assert happened(server, "slot.crashed") == []


async def test_connect_and_disconnect(clock: MockClock) -> None:
    """
    A timeout of `connect` refuses the socket with 500; one of `disconnect` is reported.
    """

    class Chat(WebsocketConsumer):
        @timeout(1.0)
        async def connect(self) -> None:
            await trio.sleep(5)

        @timeout(1.0)
        async def disconnect(self) -> None:
            await trio.sleep(3)

    async with running(chat=Chat) as server:
        failed = watch(server, "disconnect.failed")
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat", timeout=60):
                pass
        assert refused.value.status == 500
        told = await failed.until()
        assert isinstance(told.facts["exception"], HandlerTimeout)


async def test_idle(clock: MockClock) -> None:
    """
    The hooks between messages have timeouts as well.
    """

    class Bored(Actor):
        idle_seconds = 1.0

        @timeout(1.0)
        async def idle(self) -> None:
            await trio.sleep(10)

    async with running(Bored) as server:
        crashed = watch(server, "slot.crashed")
        crash = await crashed.until(seconds=60)
        assert "idle() of /residents/bored" in str(crash.facts["exception"])


@pytest.mark.parametrize("own", [True, False])
async def test_one_handler_alone_is_cancelled(own: bool) -> None:
    """
    A handler's own word about the end of the connection goes before that of its class.
    """
    ends: list[str] = []
    gate = trio.Event()

    class Chat(WebsocketConsumer):
        cancel_on_disconnect = not own

        @cancelled_on_disconnect(own)
        async def receive(self, text: str) -> None:
            try:
                await gate.wait()
                ends.append("finished")
            except trio.Cancelled:
                ends.append("cancelled")
                raise

        async def disconnect(self) -> None:
            ends.append("disconnect")

    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat") as ws:
            ws.send_text("x")
            await settle(lambda: ws.slot.facts.get("handling"))
            ws.disconnect()
            await trio.testing.wait_all_tasks_blocked()
            gate.set()
            await ended.until()

    assert ends == ["cancelled" if own else "finished", "disconnect"]


def define(**members: object) -> None:
    type("Wrong", (WebsocketConsumer,), members)


async def handler(self: Any) -> None: ...


async def other(self: Any) -> None: ...


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: concurrent(0), ValueError, "from 1 on. Got: 0"),
        (lambda: concurrent(True), TypeError, "@concurrent(4). Got: True"),
        (lambda: concurrent(other), TypeError, "@concurrent(4). Got"),
        (lambda: concurrent(2, per_key=3), TypeError, 'per_key="room". Got: 3'),
        (lambda: timeout(0), ValueError, "above 0. Got: 0"),
        (lambda: timeout(float("inf")), ValueError, "finite"),
        (lambda: timeout("2"), TypeError, "@timeout(2.0). Got: '2'"),
        (lambda: cancelled_on_disconnect(other), TypeError, "with brackets"),
        (lambda: handles("x", per_key="room"), TypeError, "say how many. Got: 'room'"),
        (lambda: handles("x", timeout=-1), ValueError, "above 0. Got: -1"),
        (
            lambda: define(connect=concurrent(2)(copy(handler))),
            TypeError,
            "Wrong.connect runs alone",
        ),
        (lambda: define(describe=timeout(2)(copy(handler))), TypeError, "take @timeout away"),
        (
            lambda: define(disconnect=cancelled_on_disconnect()(copy(handler))),
            TypeError,
            "Wrong.disconnect can't be cancelled",
        ),
        (
            lambda: define(receive=concurrent(2, per_key="room")(copy(handler))),
            TypeError,
            "Wrong.receive gets a text or bytes",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, error: type[Exception], told: str) -> None:
    """
    A mark that can't be kept is refused where it is made, or when its class is.
    """
    with pytest.raises(error) as refused:
        make()
    assert told in str(refused.value)


def copy(function: Any) -> Any:
    """Return a function of its own to put marks on."""
    return type(function)(function.__code__, function.__globals__)


def test_a_base_s_mark_is_kept() -> None:
    """
    A subclass that overrides a method without a mark keeps its base's, and may set another.
    """

    class Base(Actor):
        @handles("x", concurrent=3, timeout=2.0)
        async def on_x(self, message: object) -> None: ...

    class Same(Base):
        async def on_x(self, message: object) -> None: ...

    class Changed(Base):
        @timeout(5.0)
        async def on_x(self, message: object) -> None: ...

    found = [each.handler_table().find({"type": "x"}) for each in (Base, Same, Changed)]
    assert [(each.concurrent, each.seconds) for each in found if each] == [
        (3, 2.0),
        (3, 2.0),
        (0, 5.0),
    ]
    assert not any(each.plain for each in found if each)


async def test_a_client_s_handlers_are_marked_as_well() -> None:
    """
    What stands around the handlers of a WebsocketClient is run as they are; its hooks run alone.
    """

    class Feed(WebsocketClient):
        url = "ws://127.0.0.1:1/"

        @timeout(3.0)
        async def receive(self, text: str) -> None: ...

        @handles("x", concurrent=2)
        async def on_x(self, message: object) -> None: ...

        @handles("y")
        async def on_y(self, message: object) -> None: ...

    found = [Feed.handler_table().find({"type": name}) for name in ("x", "y")]
    assert [each and (each.concurrent, each.plain) for each in found] == [(2, False), (0, True)]
    with pytest.raises(TypeError, match=r"Wrong\.receive of a client runs alone"):

        class Wrong(WebsocketClient):
            url = "ws://127.0.0.1:1/"

            @concurrent(2)
            async def receive(self, text: str) -> None: ...
