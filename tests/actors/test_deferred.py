# Messages put aside: by `def` and `async def` handlers, through crashes and ends.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallFailed,
    CallTimeout,
    DeferFull,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Gate(Actor):
    """Puts work aside until it is opened."""

    log: list[Any]
    open = False

    @handles("work")
    def work(self, message):
        if not self.open:
            self.defer()
            return "not an answer"
        self.log.append((self.epoch, message["n"]))
        if message["n"] == "boom":
            raise ValueError("boom")
        return message["n"]

    @handles("open")
    def on_open(self, message):
        self.open = True
        self.release()
        self.log.append("open")

    @handles("boom")
    def on_boom(self, message):
        raise ValueError("boom")

    @handles("defer and fail")
    def on_both(self, message):
        self.log.append("both")
        self.defer()
        raise ValueError("boom")

    @handles("ping")
    def ping(self, message):
        return self.epoch


class AsyncGate(Gate):
    """The same, on trio."""

    @handles("work")
    async def work(self, message):
        return super().work(message)

    @handles("open")
    async def on_open(self, message):
        super().on_open(message)

    @handles("boom")
    async def on_boom(self, message):
        super().on_boom(message)

    @handles("defer and fail")
    async def on_both(self, message):
        super().on_both(message)

    @handles("ping")
    async def ping(self, message):
        return self.epoch


@pytest.fixture(params=[Gate, AsyncGate])
def gate(request: pytest.FixtureRequest) -> type[Gate]:
    return type("Gate", (request.param,), {"log": []})


def work(n: object) -> dict[str, object]:
    return {"type": "work", "n": n}


OPEN, BOOM, PING = {"type": "open"}, {"type": "boom"}, {"type": "ping"}


async def test_in_order(gate: type[Gate]) -> None:
    """
    What is released is handled as it came: behind the handler that did, before what came later.
    """
    async with running(gate) as server:
        ref = server.root.find("/residents/gate")
        for n in range(5):
            ref.cast(work(n))
        await ref.call(PING)
        assert gate.log == []
        for message in (OPEN, work(5), work(6)):
            ref.cast(message)
        await ref.call(PING)

    assert gate.log == ["open", *((1, n) for n in range(7))]


async def test_in_order_out_of_one_run(gate: type[Gate]) -> None:
    """
    Also where one thread has taken what defers, what releases and what came later together.
    """
    async with running(gate) as server:
        ref = server.root.find("/residents/gate")
        for message in (work(0), work(1), OPEN, work(2), work(3)):
            ref.cast(message)
        await ref.call(PING)

    assert gate.log == ["open", *((1, n) for n in range(4))]


async def test_a_call_that_is_deferred_is_answered_later(gate: type[Gate]) -> None:
    """
    The caller of a deferred call waits on, and gets what its handler returns another time.
    """
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await ref.call(work("answer")))

    async with running(gate) as server, trio.open_nursery() as nursery:
        ref = server.root.find("/residents/gate")
        nursery.start_soon(ask)
        await settle(lambda: _deferred(server) == 1)
        assert answers == []
        ref.cast(OPEN)

    assert answers == ["answer"]
    assert happened(server, "call.late") == []


async def test_a_deferred_call_has_its_own_deadline(clock: MockClock) -> None:
    """
    A caller that has given up is skipped when its call is released.
    """

    class Mine(AsyncGate):
        log: list[Any] = []

    async with running(Mine) as server:
        ref = server.root.find("/residents/mine")
        with pytest.raises(CallTimeout):
            await ref.call(work("too late"), timeout=3)
        ref.cast(OPEN)
        await ref.call(PING)

        assert Mine.log == ["open"]
        assert len(happened(server, "call.skipped")) == 1


async def test_not_lost(gate: type[Gate]) -> None:
    """
    A crash gives what was put aside to the next incarnation, in order and before the rest.
    """
    async with running(gate) as server:
        ref = server.root.find("/residents/gate")
        for message in (work(0), work(1), BOOM, OPEN, work(2)):
            ref.cast(message)
        assert await ref.call(PING) == 2
        await settle(lambda: len(gate.log) == 4)

    assert gate.log == ["open", (2, 0), (2, 1), (2, 2)]


async def test_not_lost_at_the_end(gate: type[Gate]) -> None:
    """
    At the slot's end what was put aside is a dead letter, and a call fails with ActorStopped.
    """
    failures: list[BaseException] = []

    async def ask() -> None:
        with pytest.raises(ActorStopped) as failed:
            await ref.call(work("call"))
        failures.append(failed.value)

    async with running(gate) as server, trio.open_nursery() as nursery:
        ref = server.root.find("/residents/gate")
        ref.cast(work("cast"))
        nursery.start_soon(ask)
        await settle(lambda: _deferred(server) == 2)
        ended = watch(server, "slot.ended")
        ref.stop("enough")
        await ended.until()
        letters = server.root.dead_letters.recent()

    assert len(failures) == 1
    assert [letter.reason for letter in letters] == ["the actor has ended (enough)"] * 2


@pytest.mark.parametrize("how", ["cast", "call"])
async def test_poison(gate: type[Gate], how: str) -> None:
    """
    A message whose handler put it aside and then raised is consumed: it runs once.
    """
    async with running(gate) as server:
        ref = server.root.find("/residents/gate")
        ref.cast(work(0))
        if how == "cast":
            ref.cast({"type": "defer and fail"})
        else:
            with pytest.raises(CallFailed, match="boom"):
                await ref.call({"type": "defer and fail"})
        ref.cast(OPEN)
        assert await ref.call(PING) == 2

    assert gate.log == ["both", "open", (2, 0)]


async def test_poison_that_was_released(gate: type[Gate]) -> None:
    """
    A released message that crashes its handler is consumed, and those behind it are not.
    """
    async with running(gate) as server:
        ref = server.root.find("/residents/gate")
        for n in (0, "boom", 2):
            ref.cast(work(n))
        ref.cast(OPEN)
        ref.cast(PING)
        await settle(lambda: _deferred(server) == 1)  # 2, of the new and closed one
        ref.cast(OPEN)
        await ref.call(PING)

    assert gate.log == ["open", (1, 0), (1, "boom"), "open", (2, 2)]


async def test_bounded(gate: type[Gate]) -> None:
    """
    One more than `defer_capacity` raises DeferFull in the handler, which names the remedy.
    """
    limited = type("Limited", (gate,), {"defer_capacity": 2})
    async with running(limited) as server:
        crashed = watch(server, "slot.crashed")
        ref = server.root.find("/residents/limited")
        for n in range(3):
            ref.cast(work(n))
        event = await crashed.until()
        for _ in range(2):  # the first finds the old ones put aside anew
            ref.cast(OPEN)
        await ref.call(PING)

        error = event.facts["exception"]
        assert isinstance(error, DeferFull)
        assert (error.actor, error.capacity) == ("/residents/limited", 2)
        assert "raise defer_capacity" in str(error)
        assert limited.log == ["open", (2, 0), (2, 1), "open"]


async def test_callers_that_have_left_make_room(clock: MockClock) -> None:
    """
    A full buffer forgets the calls that nobody waits for any more before it refuses one.
    """

    class Mine(AsyncGate):
        log: list[Any] = []
        defer_capacity = 1

    async with running(Mine) as server:
        ref = server.root.find("/residents/mine")
        with pytest.raises(CallTimeout):
            await ref.call(work("left"), timeout=1)
        ref.cast(work("stays"))
        ref.cast(OPEN)
        await ref.call(PING)

        assert Mine.log == ["open", (1, "stays")]
        assert happened(server, "slot.crashed") == []
        assert len(happened(server, "call.skipped")) == 1


async def test_one_tick(clock: MockClock) -> None:
    """
    A timer whose tick is put aside sends no further one until that is released and handled.
    """
    log: list[object] = []

    class Ticking(Actor):
        async def started(self):
            self.send_every(1, {"type": "tick"})

        @handles("tick")
        async def tick(self, message):
            log.append("tick")
            if len(log) == 1:
                self.defer()

        @handles("open")
        async def on_open(self, message):
            self.release()

    async with running(Ticking) as server:
        await trio.sleep(5.5)
        assert log == ["tick"]
        assert _deferred(server) == 1
        server.root.find("/residents/ticking").cast(OPEN)
        await trio.sleep(0.1)
        assert log == ["tick"] * 2
        await trio.sleep(1)
        assert log == ["tick"] * 3


@pytest.mark.parametrize("sync", [False, True])
async def test_frames_are_deferred_too(sync: bool) -> None:
    """
    A consumer puts frames aside, and handles them in order when a message releases them.
    """

    class Later(WebsocketConsumer):
        ready = False

        def receive(self, text):
            if not self.ready:
                self.defer()
            else:
                self.send(text=text)

        @handles("open")
        def on_open(self, message):
            self.ready = True
            self.release()

    class LaterAsync(Later):
        async def receive(self, text):
            super().receive(text)

    frames = [str(n) for n in range(40)]  # more than the read-ahead
    chat = Later if sync else LaterAsync
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        for text in frames:
            ws.send_text(text)
        await settle(lambda: ws.slot.facts.get("deferred") == 40)
        server.root.find(ws.slot.path).cast(OPEN)
        ws.send_text("last")

        assert [await ws.receive() for _ in range(41)] == [*frames, "last"]
        assert "deferred" not in ws.slot.facts


async def test_the_peers_end_makes_dead_letters_of_frames_put_aside() -> None:
    """
    Frames that nobody released before the peer left are dead letters.
    """

    class Never(WebsocketConsumer):
        async def receive(self, text):
            self.defer()

    async with running(chat=Never) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat") as ws:
            ws.send_text("one")
            await settle(lambda: ws.slot.facts.get("deferred") == 1)
        await ended.until()

        (letter,) = server.root.dead_letters.recent()
        assert (letter.summary, letter.reason) == ("InFrame", "the actor has ended (peer)")


async def test_release_leaves_what_the_running_handler_defers() -> None:
    """
    A handler that defers its message and releases: the others come, its own stays aside.
    """
    log: list[object] = []

    class Both(Actor):
        @handles("a")
        async def a(self, message):
            log.append("a")
            if len(log) == 1:
                self.defer()

        @handles("b")
        async def b(self, message):
            log.append("b")
            self.defer()
            self.defer()  # again is no different
            self.release()

        @handles("ping")
        async def ping(self, message):
            return None

    async with running(Both) as server:
        ref = server.root.find("/residents/both")
        for kind in "ab":
            ref.cast({"type": kind})
        await ref.call(PING)

        assert log == ["a", "b", "a"]
        assert _deferred(server) == 1


async def test_a_background_task_may_release_and_not_defer() -> None:
    """
    release() in a background task wakes the actor; defer() there is an error that says so.
    """
    errors: list[str] = []

    class Mine(AsyncGate):
        log: list[Any] = []

        async def started(self):
            self.start_soon(self.later)

        async def later(self):
            await go.wait()
            try:
                self.defer()
            except RuntimeError as error:
                errors.append(str(error))
            self.open = True
            self.release()
            self.log.append("released")

    go = trio.Event()
    async with running(Mine) as server:
        ref = server.root.find("/residents/mine")
        ref.cast(work(0))
        await settle(lambda: _deferred(server) == 1)
        go.set()
        await settle(lambda: len(Mine.log) == 2)

    assert Mine.log == ["released", (1, 0)]
    assert errors == [
        "/residents/mine handles no message here, so there is none to put aside: defer() is for"
        " `receive` and for handlers declared with @handles."
    ]


async def test_a_background_task_does_not_defer_the_handlers_message() -> None:
    """
    defer() in a background task is an error also while a handler of the actor runs.
    """
    errors: list[str] = []

    class Busy(Actor):
        @handles("busy")
        async def busy(self, message):
            self.start_soon(self.meddle)
            await done.wait()

        async def meddle(self):
            try:
                self.defer()
            except RuntimeError as error:
                errors.append(str(error))
            done.set()

    done = trio.Event()
    async with running(Busy) as server:
        await server.root.find("/residents/busy").call({"type": "busy"})
        assert _deferred(server) == 0

    assert len(errors) == 1


async def test_poison_whose_handler_was_cancelled() -> None:
    """
    A frame whose handler was cancelled by the end of the peer is consumed, deferred or not.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        cancel_on_disconnect = True

        async def receive(self, text):
            log.append(text)
            if text == "first":
                self.defer()
                await trio.sleep_forever()

    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat") as ws:
            ws.send_text("first")
            await settle(lambda: log)
            ws.send_text("second")
        await ended.until()

        assert log == ["first", "second"]
        assert server.root.dead_letters.recent() == []


@pytest.mark.parametrize("base", [Gate, AsyncGate])
async def test_poison_that_is_resumed(base: type[Gate]) -> None:
    """
    Where its class goes on after the error, the message is consumed as well, and no other.
    """
    resuming = type("Resuming", (base,), {"log": [], "supervise": {ValueError: "resume"}})
    async with running(resuming) as server:
        ref = server.root.find("/residents/resuming")
        ref.cast(work(0))
        ref.cast({"type": "defer and fail"})
        ref.cast(OPEN)
        assert await ref.call(PING) == 1

    assert resuming.log == ["both", "open", (1, 0)]


async def test_a_thread_that_was_left_behind_defers_nothing() -> None:
    """
    defer() and release() of a thread that was abandoned are Stale, and its message is consumed.
    """
    begun, go, done = threading.Event(), threading.Event(), threading.Event()
    caught: list[str] = []

    class Slow(Actor):
        shutdown_seconds = 0

        @handles("slow")
        def slow(self, message):
            begun.set()
            go.wait()
            for act in (self.defer, self.release):
                try:
                    act()
                except Exception as error:
                    caught.append(type(error).__name__)
            done.set()

    async with running(Slow) as server:
        ended = watch(server, "slot.ended")
        ref = server.root.find("/residents/slow")
        ref.cast({"type": "slow"})
        await settle(begun.is_set)
        ref.stop()
        await ended.until()
        go.set()
        await settle(done.is_set)

        assert caught == ["Stale", "Stale"]
        assert server.root.dead_letters.recent() == []


def _deferred(server: Any) -> object:
    return server.root.snapshot().children[1].children[0].facts.get("deferred", 0)
