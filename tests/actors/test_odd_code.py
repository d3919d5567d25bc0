# User code at its oddest: keys, names, errors and messages that raise when they are looked
# at. It may cost the actor an incarnation; never the loop, the slot or the caller.

import gc
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import Actor, CallFailed, CallTimeout, WebsocketConsumer, handles
from greenroom.actors._timers import Timer, TimerQueue
from greenroom.bridges.testing import HandshakeRefused


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class BadKey:
    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise ValueError("no eq")


class Chat(WebsocketConsumer):
    """Its handlers run in a worker thread, whose wishes reach the loop as callbacks."""

    def receive(self, text):
        if text == "unhashable key":
            self.send_after(1, {"type": "tick"}, key=[1])  # type: ignore[arg-type]
        elif text == "cancel unhashable":
            self.cancel_timer([1])  # type: ignore[arg-type]
        elif text == "odd key":
            self.send_after(60, {"type": "tick"}, key=BadKey())
            self.send_after(60, {"type": "tick"}, key=BadKey())
        elif text == "no repr":
            self.start_soon(partial(self.poll, Unshowable()))
        self.send(text=text)

    async def poll(self, *args: object) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("what", ["unhashable key", "cancel unhashable", "odd key"])
async def test_a_timer_with_a_wrong_key(what: str) -> None:
    """
    A timer's key that can't be a key, from a `def` handler, crashes that actor alone.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as neighbour, server.websocket("/chat") as ws:
            ws.send_text(what)
            await ws.wait_restarted(2)
            ws.send_text("after")
            neighbour.send_text("hi")
            while await ws.receive_text() != "after":
                pass
            assert await neighbour.receive_text() == "hi"
            assert len(ws.slot.crashes) == 1


async def test_a_task_whose_arguments_cannot_be_shown() -> None:
    """
    The name of a background task is never made of its arguments.
    """
    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("no repr")
        assert await ws.receive_text() == "no repr"
        ws.send_text("after")
        assert await ws.receive_text() == "after"
        assert ws.slot.facts["tasks"] == ["Chat.poll"]


def test_timers_put_off_again_and_again_do_not_pile_up() -> None:
    """
    An idle timeout of an hour that each message puts off leaves no trail.
    """
    queue = TimerQueue()
    for number in range(10_000):
        queue.add(Timer(None, "idle", "idle", None), 3600.0 + number)
        other = Timer(None, "other", f"key {number}", None)
        queue.add(other, 3600.0)
        other.cancel()

    assert len(queue._heap) < 300
    assert len(queue._keyed) < 300
    assert [timer.message for timer in queue.due(20_000)] == ["idle"]


def test_an_interval_too_small_for_the_clock() -> None:
    """
    A repeating timer is due once at a time, however small its interval.
    """
    queue = TimerQueue()
    queue.add(Timer(None, "t", None, 1e-300), 1.0)
    assert len(list(queue.due(1.0))) == 1
    assert len(list(queue.due(2.0))) == 1


@dataclass(frozen=True)
class Frozen(Exception):
    """An error that refuses `error.__traceback__ = ...`."""

    number: int = 0


class Wordless(Exception):
    def __str__(self) -> str:
        raise self


class Closed(Mapping[str, object]):
    """A message that can't be looked into."""

    def __getitem__(self, key: str) -> object:
        raise RuntimeError("closed")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("closed")

    def __len__(self) -> int:
        raise RuntimeError("closed")


class Odd(Actor):
    @handles("raise")
    async def on_raise(self, message: dict[str, Any]) -> None:
        raise message["error"]

    @handles("raise in a thread")
    def on_raise_in_thread(self, message: dict[str, Any]) -> None:
        raise message["error"]

    @handles("fine")
    async def on_fine(self, message: object) -> str:
        return "fine"

    @handles(Closed)
    async def on_closed(self, message: Closed) -> str:
        return "closed"


@pytest.mark.parametrize("how", ["raise", "raise in a thread"])
@pytest.mark.parametrize("error", [Frozen(1), Wordless(), ExceptionGroup("", [Frozen(2)])])
async def test_an_odd_error_is_a_crash_like_any(how: str, error: Exception) -> None:
    """
    A frozen exception, or one whose text raises, is recorded, answered and restarted after.
    """
    async with running(Odd) as server:
        ref = server.root.find("/residents/odd")
        with pytest.raises(CallFailed) as failed:
            await ref.call({"type": how, "error": error})
        assert failed.value.__cause__ is error
        assert await ref.call({"type": "fine"}) == "fine"
        assert len(happened(server, "slot.crashed", "/residents/odd")) == 1


async def test_a_message_that_cannot_be_looked_into() -> None:
    """
    A mapping that raises is found by its class, shown by it, and a dead letter by it.
    """
    async with running(Odd) as server:
        ref = server.root.find("/residents/odd")
        assert await ref.call(Closed()) == "closed"
        ref.stop()
        await settle(lambda: not ref.alive)
        assert not ref.cast(Closed())


async def test_those_who_gave_up_waiting_for_room_are_forgotten(autojump_clock: MockClock) -> None:
    """
    Callers that time out before a full mailbox leave nothing behind in it.
    """

    class Stuck(Actor):
        mailbox_capacity = 1

        @handles("stick")
        async def on_stick(self, message: object) -> None:
            await trio.sleep(1000)

    async with running(Stuck) as server:
        ref = server.root.find("/residents/stuck")
        ref.cast({"type": "stick"})
        await trio.sleep(1)
        ref.cast({"type": "stick"})
        for _ in range(10):
            with pytest.raises(CallTimeout):
                await ref.call({"type": "stick"}, timeout=1)
        mailbox = ref._target.mailbox
        assert not mailbox._room_waiters


async def test_a_crash_does_not_keep_the_old_incarnation_alive() -> None:
    """
    Once the next incarnation serves, nothing holds the crashed one or its traceback.
    """
    lives: list[weakref.ref[object]] = []

    class Remember(WebsocketConsumer):
        expected_errors = (ValueError,)  # one line in the log: pytest keeps what it captures

        def started(self):
            lives.append(weakref.ref(self))

        async def receive(self, text):
            if text == "boom":
                raise ValueError(text)
            await self.send(text=text)

    async with running(remember=Remember) as server, server.websocket("/remember") as ws:
        for text in ("boom", "hi"):
            ws.send_text(text)
        assert await ws.receive_text() == "hi"
        gc.collect()
        assert [each() is not None for each in lives] == [False, True]


def test_a_mixin_may_not_hide_what_the_runtime_uses() -> None:
    """
    An attribute of the runtime is refused from a mixin too; its annotation is not.
    """

    class Hides:
        path = "mine"

    class Expects:
        path: str

    with pytest.raises(TypeError, match=r"Hides, a base of Chat, defines path"):
        type("Chat", (Hides, WebsocketConsumer), {})
    type("Chat", (Expects, WebsocketConsumer), {})
    type("Chat", (WebsocketConsumer, Hides), {})  # hidden itself


async def test_state_in_slots_survives_a_crash() -> None:
    """
    Attributes of `__slots__`, as of a dataclass with slots, are kept like any others.
    """

    @dataclass(slots=True)
    class Slotted(WebsocketConsumer):
        name: str = ""
        count: int = 0
        keep = ("count",)

        async def connect(self, message):
            self.name = "Anonymous"
            await self.accept()

        async def receive(self, text):
            if text == "boom":
                raise ValueError(text)
            self.count += 1
            await self.send(text=f"{self.name} {self.count}")

    async with running(slotted=Slotted) as server, server.websocket("/slotted") as ws:
        for text in ("a", "boom", "b"):
            ws.send_text(text)
        assert await ws.receive_text() == "Anonymous 1"
        assert await ws.receive_text() == "Anonymous 2"


async def test_a_def_hook_that_returns_a_coroutine() -> None:
    """
    A `def` connect() that forgets to await what it calls fails with the reason.
    """

    class Forgetful(WebsocketConsumer):
        def connect(self, message):
            return self.later()

        async def later(self) -> None:
            await self.accept()

    async with running(forgetful=Forgetful) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/forgetful"):
                pass
        (crash,) = happened(server, "slot.crashed")
        assert refused.value.status == 500
        assert "connect returned a coroutine" in str(crash.facts["exception"])
