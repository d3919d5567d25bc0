# A crash and what comes after it: same socket, new self, in order. How slots end is
# in test_slot_ends.py, what is late in test_slot_late.py.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names, watch

from greenroom.actors import Actor, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return virtual_clock()


class Sync(WebsocketConsumer):
    """Crashes wherever it is told to; remembers each incarnation in `lives`."""

    lives: list[Any]
    ran: list[str]

    def connect(self, message):
        self.join("room")  # first: the client goes on at accept, whatever the thread does then
        self.accept()

    def started(self):
        self.lives.append(self)
        self.start_soon(trio.sleep_forever)

    def receive(self, text):
        self.ran.append(text)
        if text == "boom":
            raise ValueError("boom")
        if text == "timer":
            self.send_after(0, {"type": "boom"})
        elif text == "task":
            self.start_soon(self.fail)
        else:
            self.send(text=f"{self.epoch}: {text}")

    @handles("boom")
    def on_boom(self, message):
        self.ran.append("on_boom")
        raise ValueError("boom")

    @handles("echo")
    def on_echo(self, message):
        self.send(text=f"{self.epoch}: {message['text']}")

    async def fail(self):
        self.ran.append("fail")
        raise ValueError("boom")


class Async(Sync):
    async def connect(self, message):
        super().connect(message)

    async def started(self):
        super().started()

    async def receive(self, text):
        super().receive(text)

    @handles("boom")
    async def on_boom(self, message):
        super().on_boom(message)

    @handles("echo")
    async def on_echo(self, message):
        super().on_echo(message)


class Mixed(Sync):
    async def receive(self, text):
        super().receive(text)


@pytest.fixture(params=[Sync, Async, Mixed])
def chat(request: pytest.FixtureRequest) -> type[Sync]:
    return type("Chat", (request.param,), {"lives": [], "ran": []})


async def test_m1_boom_m3(chat: type[Sync]) -> None:
    """
    The answer to m1, then the answer to m3 by the next incarnation; the poison ran once.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        for text in ("m1", "boom", "m3"):
            ws.send_text(text)

        assert await ws.receive() == "1: m1"
        assert await ws.receive() == "2: m3"
        assert chat.ran == ["m1", "boom", "m3"]
        slot = ws.slot
        (crash,) = slot.crashes

    assert (slot.epoch, slot.state, slot.restarts_left) == (2, "running", 2)
    assert (crash.epoch, crash.exception, crash.text) == (1, "ValueError", "boom")
    assert crash.message == "text frame of 4"
    assert 'raise ValueError("boom")' in crash.traceback
    assert "greenroom/actors/_loop" not in crash.traceback


async def crash_by(how: str, ws: Any, server: ServerDriver) -> None:
    """Make the consumer of *ws* crash in the place called *how*."""
    if how == "group message":
        server.root.groups.send("room", {"type": "boom"})
    elif how == "call":
        with pytest.raises(CallFailed, match="ValueError: boom") as caught:
            await server.root.find(ws.slot.path).call({"type": "boom"})
        assert isinstance(caught.value.__cause__, ValueError)
    else:
        ws.send_text({"frame": "boom"}.get(how, how))


@pytest.mark.parametrize("how", ["frame", "group message", "timer", "task", "call"])
async def test_open_socket(chat: type[Sync], how: str) -> None:
    """
    Wherever it crashes, a new object takes over, the old tasks are gone, the socket is open.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        restarted = watch(server, "slot.restarted")
        path = ws.slot.path
        await settle(lambda: any(name.startswith(f"{path}#1 ") for name in task_names()))
        await settle(lambda: ws.slot.groups == ("room",))
        await crash_by(how, ws, server)
        await restarted.until()
        ws.send_text("hi")

        assert await ws.receive() == "2: hi"
        old, new = chat.lives
        assert old is not new
        assert [name for name in task_names() if "#1" in name] == []
        await settle(lambda: f"{path}#2 sleep_forever" in task_names())
        assert len([event for event in happened(server, "slot.crashed") if event.path == path]) == 1
        assert sum(ran in ("boom", "on_boom", "fail") for ran in chat.ran) == 1
        assert ws.slot.epoch == 2


async def test_a_second_actors_reference_stands(chat: type[Sync]) -> None:
    """
    Another actor's casts through its old reference, sent around a crash, arrive in order.
    """

    class Other(Actor):
        @handles("go")
        def go(self, message):
            for number in range(20):
                kind = "boom" if number == 10 else "echo"
                self.cast(message["ref"], {"type": kind, "text": str(number)})

    async with running(Other, chat=chat) as server, server.websocket("/chat") as ws:
        ref = server.root.find(ws.slot.path)
        other = server.root.find("/residents/other")
        other.cast({"type": "go", "ref": ref})

        expected = [f"1: {n}" for n in range(10)] + [f"2: {n}" for n in range(11, 20)]
        assert [await ws.receive() for _ in range(19)] == expected
        assert ref == server.root.find(ws.slot.path)
        assert ref.alive


async def test_membership_stands_through_a_restart(chat: type[Sync]) -> None:
    """
    A group's frames and messages reach the slot after its consumer crashed, without a new join.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        ws.crash()
        await ws.wait_restarted()

        assert ws.slot.groups == ("room",)
        server.root.groups.send("room", text="frame")
        assert await ws.receive() == "frame"
        server.root.groups.send("room", {"type": "echo", "text": "message"})
        assert await ws.receive() == "2: message"


async def test_frames_of_a_group_reach_a_socket_that_backs_off(
    chat: type[Sync], clock: trio.testing.MockClock
) -> None:
    """
    While the slot backs off its socket still gets what its groups are sent.
    """
    options = Options(backoff_min_seconds=20, backoff_jitter=0)
    async with running(chat=chat, options=options) as server, server.websocket("/chat") as ws:
        ws.crash()
        await ws.wait_restarted(2)
        backing_off = watch(server, "slot.backing_off")
        ws.crash()
        event = await backing_off.until()
        server.root.groups.send("room", text="meanwhile")

        assert await ws.receive() == "meanwhile"
        assert event.facts == {"seconds": 20.0, "attempt": 2}
        assert ws.slot.state == "backing off"


async def test_backoff_doubles(clock: trio.testing.MockClock) -> None:
    """
    The first restart is at once, the next after the minimum, each further after twice as long.
    """
    options = Options(max_restarts=5, backoff_min_seconds=1, backoff_jitter=0)

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            raise ValueError(text)

    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        waits = []
        for number in range(1, 6):
            began = trio.current_time()
            ws.send_text("boom")
            await ws.wait_restarted(number + 1)
            waits.append(round(trio.current_time() - began, 1))

    assert waits == [0, 1, 2, 4, 8]


async def test_four_crashes_close_that_socket_alone(chat: type[Sync]) -> None:
    """
    Four crashes within five seconds close with 1011; two hundred others notice nothing.
    """
    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(chat=chat, options=options) as server:
        others = [server.dial("/chat") for _ in range(200)]
        for other in others:
            await other.handshake()
        started = len(chat.lives)
        async with server.websocket("/chat") as ws:
            for _ in range(4):
                ws.send_text("boom")
            closed = await ws.closed()

        assert (closed.code, closed.reason) == (1011, "")
        assert len(chat.lives) == started + 4
        (gave_up,) = happened(server, "slot.gave_up")
        assert gave_up.facts == {"restarts": 3, "exception": "ValueError"}
        for other in others:
            other.send_text("still here")
        for other in others:
            assert await other.receive() == "1: still here"
            assert (other.slot.epoch, other.slot.crashes) == (1, ())
            other.disconnect()


async def test_the_budget_counts_time_alive(clock: trio.testing.MockClock) -> None:
    """
    Crashes further apart than the window never spend the budget; time in backoff is not time.
    """
    options = Options(backoff_min_seconds=60, backoff_max_seconds=60, backoff_jitter=0)

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            raise ValueError(text)

    async with running(chat=Chat, options=options) as server:
        async with server.websocket("/chat") as ws:
            for number in range(10):
                await trio.sleep(6)
                ws.send_text("boom")
                await ws.wait_restarted(number + 2)
        async with server.websocket("/chat") as ws:
            for _ in range(4):  # the second and third restart come a minute later
                ws.send_text("boom")
            assert (await ws.closed(500)).code == 1011


async def test_a_class_has_a_budget_of_its_own() -> None:
    """
    max_restarts of the class overrides the tree's; 0 closes at the first crash.
    """

    class Chat(WebsocketConsumer):
        max_restarts = 0

        async def receive(self, text):
            raise ValueError(text)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        assert ws.slot.restarts_left == 0
        ws.send_text("boom")

        assert (await ws.closed()).code == 1011


async def test_a_temporary_consumer_is_not_restarted() -> None:
    """
    restart = "temporary" ends the slot at its first crash, with 1011 and no budget spent.
    """

    class Chat(WebsocketConsumer):
        restart = "temporary"

        def receive(self, text):
            raise ValueError(text)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")

        assert (await ws.closed()).code == 1011
        assert happened(server, "slot.gave_up") == []


async def test_expected_errors_are_told_in_one_line() -> None:
    """
    A crash of a type in expected_errors is an event without the exception itself.
    """

    class Chat(WebsocketConsumer):
        expected_errors = (ConnectionError,)

        async def receive(self, text):
            raise ConnectionError("the radio is off")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")
        await ws.wait_restarted(2)

        (crashed,) = happened(server, "slot.crashed")
        assert crashed.facts["error"] == "ConnectionError: the radio is off"
        assert "exception" not in crashed.facts


async def test_twenty_blocked_handlers_delay_no_async_one() -> None:
    """
    While 20 `def` handlers block, a 21st socket gets 100 echoes from its `async def` handler.
    """
    gate, begun, returned = threading.Event(), list[int](), list[int]()

    class Blocking(WebsocketConsumer):
        def receive(self, text):
            begun.append(1)
            gate.wait(30)
            returned.append(1)

    class Echo(WebsocketConsumer):
        async def receive(self, text):
            await self.send(text=text)

    async with running(blocking=Blocking, echo=Echo) as server:
        blocked = [server.dial("/blocking") for _ in range(20)]
        for each in blocked:
            await each.handshake()
            each.send_text("block")
        threads = server.root.pool.size
        await settle(lambda: len(begun) == threads)
        async with server.websocket("/echo") as ws:
            for number in range(100):
                ws.send_text(str(number))
            assert [await ws.receive() for _ in range(100)] == [str(n) for n in range(100)]

        assert returned == []
        pools = server.root.snapshot().facts["threads"]
        assert isinstance(pools, dict)
        facts = pools["consumers"]
        assert (facts["running"], facts["queued"]) == (threads, 20 - threads)
        assert (facts["alive"], facts["parked"]) == (threads, 0)
        gate.set()
        for each in blocked:
            each.disconnect()
        await settle(lambda: len(returned) == 20)


async def test_one_task() -> None:
    """
    ONE TASK: a connection's slot is its own coroutine; beside it a reader and a writer.
    """
    tasks: list[str] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            task = trio.lowlevel.current_task()
            tasks.append(task.name)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("hi")
        await settle(lambda: tasks)

        path = ws.slot.path
        assert tasks == ["greenroom.bridges.testing._websocket.WebsocketDriver.run"]
        assert sorted(name for name in task_names() if name.startswith(path)) == [
            f"{path} reader", f"{path} writer",
        ]  # fmt: skip
