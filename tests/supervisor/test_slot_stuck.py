# What could keep a slot from ending, or end it wrongly: a stop at the wrong moment, a scope
# left open, a peer that goes while `connect` runs, a handler that waits for room for ever.

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import Actor, Overflow, WebsocketConsumer, handles
from greenroom.actors._mailbox import Mailbox
from greenroom.actors._overflow import Put
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import serve
from greenroom.supervisor import ChildSpec, Options


async def test_a_stop_leaves_disconnect_alone() -> None:
    """
    A `def` disconnect() that runs when a stop is asked for is not told to stop as well.
    """
    began, go, said = threading.Event(), threading.Event(), list[str]()

    class Chat(WebsocketConsumer):
        def disconnect(self, code):
            began.set()
            assert go.wait(10)
            self.group_send("room", text="bye")
            said.append("bye")

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            slot = ws._slot
            ws.disconnect(1001)
            await trio.to_thread.run_sync(began.wait, 10)
            slot.request_stop("drain", 1012)
            go.set()
        assert said == ["bye"]
        assert happened(server, "work.stale") == []


async def test_a_stop_before_the_first_incarnation() -> None:
    """
    A slot that is asked to stop before it has begun runs nothing of its actor's.
    """
    made: list[object] = []

    class Worker(Actor):
        def __init__(self):
            made.append(self)

        async def started(self):
            await trio.sleep_forever()

    async with running() as server:
        slot = server.root.residents._body(ChildSpec.of(Worker), "/residents/worker")
        slot.request_stop("early")
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await slot.run(nursery)
        assert slot.end == "early"
        assert made == []


@pytest.mark.parametrize("end", ["peer", "stop"])
async def test_a_handler_that_leaves_a_scope_open(end: str) -> None:
    """
    A cancel scope that a handler did not leave can't take the slot's end away.
    """
    ends: list[int] = []

    class Leaky(WebsocketConsumer):
        async def receive(self, text):
            trio.CancelScope().__enter__()
            await self.send(text=text)

        async def disconnect(self, code):
            ends.append(code)

    async with running(leaky=Leaky) as server, server.websocket("/leaky") as ws:
        slot = ws._slot
        ws.send_text("leak")
        assert await ws.receive_text() == "leak"
        if end == "peer":
            ws.disconnect(1001)
        else:
            slot.request_stop("enough", 1001)
        with trio.fail_after(10):
            await slot.ended.wait()
        assert (slot.epoch, ends) == (1, [1001])
        assert "corrupted" in slot.crashes[-1].text  # told, all the same


async def test_a_task_that_fails_in_the_moment_of_the_end() -> None:
    """
    What a task raised while the peer's end was being taken is recorded, not lost.
    """

    class Chat(WebsocketConsumer):
        pass

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        slot = ws._slot
        await settle(lambda: slot.mailbox.parker.parked)
        slot.peer_ended(1001, "")
        slot.inject_crash(ValueError("at last"))
        with trio.fail_after(10):
            await slot.ended.wait()
        assert [each.text for each in slot.crashes] == ["at last"]


async def test_disconnect_on_a_new_instance_has_its_state() -> None:
    """
    Where no instance is left, the one made for disconnect() is given the snapshot.
    """
    seen: list[object] = []

    class Snapping(WebsocketConsumer):
        max_restarts = 0
        name = ""

        def snapshot(self):
            return self.name

        async def restored(self, state):
            self.name = state

        async def receive(self, text):
            if text == "boom":
                raise ValueError(text)
            self.name = text

        async def disconnect(self, code):
            seen.append((self.name, code))

    async with running(snapping=Snapping) as server, server.websocket("/snapping") as ws:
        ws.send_text("Bob")
        ws.send_text("boom")
        await ws.closed()
        await settle(lambda: seen)
    assert seen == [("Bob", 1011)]


async def test_kept_state_is_never_half_of_a_change() -> None:
    """
    A kept list that crashing handlers change reaches each incarnation as last succeeded.
    """

    class Keeping(WebsocketConsumer):
        keep = ("items",)

        async def connect(self, message):
            self.items: list[str] = []
            await self.accept()

        async def receive(self, text):
            self.items.append(text)
            if text.startswith("boom"):
                raise ValueError(text)
            await self.send(text=" ".join(self.items))

    async with running(keeping=Keeping) as server, server.websocket("/keeping") as ws:
        for text in ("a", "boom 1", "boom 2", "b"):
            ws.send_text(text)
        assert await ws.receive_text() == "a"
        assert await ws.receive_text() == "a b"


@pytest.mark.parametrize("kind", ["async", "def"])
async def test_cancel_on_disconnect_cancels_connect(kind: str) -> None:
    """
    A peer that leaves while connect() runs has it cancelled where the class says so.
    """
    gate, ends = threading.Event(), list[int]()

    class Slow(WebsocketConsumer):
        cancel_on_disconnect = True
        shutdown_seconds = 0.05

        def disconnect(self, code):
            ends.append(code)

    class AsyncSlow(Slow):
        async def connect(self, message):
            await trio.sleep_forever()

    class SyncSlow(Slow):
        def connect(self, message):
            gate.wait(10)

    try:
        async with running(slow=AsyncSlow if kind == "async" else SyncSlow) as server:
            ws = server.dial("/slow")
            await settle(lambda: server.root.connections.open)
            (path,) = server.root.connections.left()
            await settle(
                lambda: server.root.snapshot().find(path).facts.get("handling") == "connect"
            )
            ws.disconnect()
            await settle(lambda: ends)
            await settle(lambda: not server.root.connections.open)
            gate.set()
    finally:
        gate.set()
    assert ends == [1000]


async def test_a_close_frees_who_waits_for_room(autojump_clock: MockClock) -> None:
    """
    A handler that waits for a peer that does not read goes on when a task closes the socket.
    """

    class Pouring(WebsocketConsumer):
        async def started(self):
            self.start_soon(self.close_later)

        async def close_later(self):
            await trio.sleep(3)
            await self.close(4000)

        async def receive(self, text):
            while True:
                await self.send(text="x" * 30_000)

    class Everywhere:
        def match(self, scope: object) -> Match:
            return Match(Pouring)

    application = Application(router=Everywhere())

    async def deaf(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        async def stall(event: dict[str, Any]) -> None:
            if event["type"] == "websocket.send":
                await trio.sleep_forever()
            await send(event)

        await application(scope, receive, stall if scope["type"] == "websocket" else send)

    async with serve(deaf) as server:
        ws = server.dial("/")
        await ws.handshake()
        slot = ws._slot
        ws.send_text("pour")
        with trio.fail_after(30):
            await slot.ended.wait()
        assert slot.end == "closed by itself"


async def test_frames_without_bytes_are_bounded_too() -> None:
    """
    Empty frames for a peer that does not read are not kept without end.
    """

    class Quiet(WebsocketConsumer):
        async def connect(self, message):
            await self.accept()
            await self.join("room")

    async with running(quiet=Quiet) as server, server.websocket("/quiet") as ws:
        await settle(lambda: server.root.groups.names() == {"room": 1})
        slot = ws._slot
        for _ in range(20_000):  # in one turn of the loop: nothing is written meanwhile
            server.root.groups.send("room", text="")
        assert slot.connection.over
        assert (await ws.closed()).code == 1013


async def test_two_drains_at_once(autojump_clock: MockClock) -> None:
    """
    Each of two that drain hears of the last connection's end.
    """

    class Slow(WebsocketConsumer):
        async def disconnect(self, code):
            await trio.sleep(1)

    async with running(slow=Slow, options=Options(total_shutdown_seconds=50)) as server:
        ws = server.dial("/slow")
        await ws.handshake()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.root.drain)
            nursery.start_soon(server.root.drain)
            await ws.closed()
        assert trio.current_time() - began < 20


async def test_dropping_the_oldest_from_a_mailbox_that_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A message for a slot that ends in that very moment is refused and a dead letter.
    """

    class Worker(Actor):
        overflow = Overflow.DROP_OLDEST

        @handles("work")
        async def on_work(self, message: object) -> None:
            pass

    async with running(Worker) as server:
        ref = server.root.find("/residents/worker")
        slot = ref._target
        ref.stop()
        await slot.ended.wait()
        # As if the slot had ended between "full" and what the policy does about it.
        monkeypatch.setattr(Mailbox, "put_message", lambda box, item: Put.FULL)
        assert ref.cast({"type": "work"}) is False
        assert len(happened(server, "message.dead_letter", slot.path)) == 1


async def test_a_snapshot_that_fails_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What snapshot() raises for a thread reaches the thread; the loop goes on.
    """

    def broken() -> None:
        raise ZeroDivisionError

    async with running() as server:
        monkeypatch.setattr(server.root.connections, "snapshot", broken)
        with pytest.raises(ZeroDivisionError):
            await trio.to_thread.run_sync(server.root.snapshot_blocking)


@pytest.mark.parametrize("kind", ["async", "def"])
async def test_a_loop_of_group_sends_waits_for_the_sockets(kind: str) -> None:
    """
    A handler that sends far more than the output's limit to a group loses no member.
    """

    class Sync(WebsocketConsumer):
        def connect(self, message):
            self.accept()
            self.join("room")

        def receive(self, text):
            for _ in range(1000):
                self.group_send("room", text="x" * 2000)
            self.group_send("room", text="end")

    class Async(Sync):
        async def receive(self, text):
            for _ in range(1000):
                await self.group_send("room", text="x" * 2000)
            await self.group_send("room", text="end")

    async with running(chat=Async if kind == "async" else Sync) as server:
        async with server.websocket("/chat") as one, server.websocket("/chat") as other:
            await settle(lambda: server.root.groups.names() == {"room": 2})
            one.send_text("go")
            for ws in (one, other):
                while await ws.receive_text() != "end":
                    pass


async def test_a_connection_that_will_not_end_is_told(autojump_clock: MockClock) -> None:
    """
    A drain reports who is left after its time as unkillable, with the place where it waits.
    """
    free = trio.Event()

    class Stubborn(WebsocketConsumer):
        shutdown_seconds = 1

        async def receive(self, text):
            with trio.CancelScope(shield=True):
                await free.wait()

    options = Options(total_shutdown_seconds=10)
    async with running(stubborn=Stubborn, options=options) as server:
        async with server.websocket("/stubborn") as ws:
            path = ws.slot.path
            ws.send_text("x")
            await settle(lambda: ws.slot.facts.get("handling"))
            assert await server.root.drain() is False
            (told,) = happened(server, "slot.unkillable", path)
            assert "in receive" in str(told.facts["stack"])
            free.set()
