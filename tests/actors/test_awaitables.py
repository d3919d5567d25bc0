# What a send returns: an awaitable that waits for room and nothing else.

import gc

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import assert_checkpoints, assert_no_checkpoints

from greenroom.actors import WebsocketConsumer
from greenroom.actors._awaitables import DONE, TURN, Watched
from greenroom.bridges.testing import ServerDriver
from greenroom.supervisor import Options


async def test_done_is_no_checkpoint_and_turn_is_one() -> None:
    """
    Awaiting DONE costs nothing; awaiting TURN lets others run.
    """
    with assert_no_checkpoints():
        await DONE
    with assert_checkpoints():
        await TURN

    assert repr(DONE) == "<awaitable: done>"


async def test_watched_tells_of_one_that_nobody_awaited() -> None:
    """
    A watched awaitable that is dropped tells its line; one that was awaited does not.
    """
    told: list[str] = []

    def make() -> Watched:
        return Watched(DONE, told.append, 2)

    await make()
    gc.collect()
    assert told == []
    make()
    gc.collect()
    assert len(told) == 1
    assert told[0].startswith(f"{__file__}:")


async def test_debug_mode_names_the_forgotten_line() -> None:
    """
    With debug=True each forgotten await in an `async def` handler is an event with its line.
    """

    class Chat(WebsocketConsumer):
        async def connect(self, message):
            await self.accept()

        async def receive(self, text):
            if text == "forget":
                self.send(text="forgotten")  # line A
                self.join("room")
                self.group_send("room", text="to all")
                self.cast(self.ref, {"type": "x"})
            else:
                await self.send(text="awaited")
                await self.group_send("room", text="to all")

    async with running(chat=Chat, options=Options(debug=True)) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("remember")
            assert await ws.receive() == "awaited"
            assert happened(server, "await.forgotten") == []

            ws.send_text("forget")
            assert await ws.receive() == "forgotten"
            await settle(lambda: len(happened(server, "await.forgotten")) == 4)

        code = Chat.receive.__code__
        lines = [str(event.facts["where"]) for event in happened(server, "await.forgotten")]
        first = code.co_firstlineno + 2
        assert lines == [f"{__file__}:{first + n}" for n in range(4)]


async def test_debug_mode_leaves_def_handlers_alone() -> None:
    """
    In a `def` handler there is nothing to await, so nothing is forgotten.
    """

    class Chat(WebsocketConsumer):
        def receive(self, text):
            self.send(text=text)

    async with running(chat=Chat, options=Options(debug=True)) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("x")
            assert await ws.receive() == "x"
        gc.collect()

        assert happened(server, "await.forgotten") == []


async def test_sends_that_nobody_awaits_keep_their_order() -> None:
    """
    A hundred sends without one await arrive all, in order.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            for number in range(100):
                self.send(text=str(number))

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("go")
        assert [await ws.receive() for _ in range(100)] == [str(n) for n in range(100)]


async def test_a_large_group_gives_others_a_turn() -> None:
    """
    group_send() to many members returns an awaitable that is a checkpoint, to few it is not.
    """
    turns: list[bool] = []

    class Chat(WebsocketConsumer):
        async def connect(self, message):
            await self.accept()
            await self.join("room")

        async def receive(self, text):
            turns.append(self.group_send("room", text="all") is TURN)

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("few")
            await settle(lambda: len(turns) == 1)

            class Quiet:
                path = "/quiet"

                def deliver_frame(self, frame): ...

                def deliver_message(self, message): ...

            for _ in range(300):
                server.root.groups.join("room", Quiet())
            ws.send_text("many")
            await settle(lambda: len(turns) == 2)

    assert turns == [False, True]


async def test_send_waits_for_room() -> None:
    """
    `await send()` above the high water waits until the peer has read some.
    """
    state: list[str] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            for _ in range(3):
                await self.send(text="x" * 100)
                state.append("sent")

    options = Options(output_high_water_bytes=100)
    async with running(chat=Chat, options=options) as server:
        release = trio.Event()

        async def slow(scope, receive, send):
            async def slowly(event):
                if event["type"] == "websocket.send":
                    await release.wait()
                await send(event)

            await server._application(scope, receive, slowly)

        driver = ServerDriver(slow, server._nursery)
        driver.state = server.state
        async with driver.websocket("/chat") as ws:
            ws.send_text("go")
            await settle(lambda: state)
            for _ in range(50):
                await trio.lowlevel.checkpoint()
            assert state == ["sent"]
            release.set()
            assert [await ws.receive() for _ in range(3)] == ["x" * 100] * 3
            await settle(lambda: len(state) == 3)
    with pytest.raises(IndexError):
        state[3]
