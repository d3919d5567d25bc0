# The last handler: what it may do, and what becomes of one that fails.

import pytest
import trio
from helpers import happened, running

from greenroom.actors import Actor, Disconnected, WebsocketConsumer
from greenroom.bridges.testing import (
    SocketClosed,
    virtual_clock,
)


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return virtual_clock()


@pytest.mark.parametrize("sync", [False, True])
async def test_disconnect_that_raises(sync: bool) -> None:
    """
    disconnect() raising is reported, and neither restarted nor counted.
    """

    class Async(WebsocketConsumer):
        async def disconnect(self, message):
            raise ValueError("at the end")

    class Sync(WebsocketConsumer):
        def disconnect(self, message):
            raise ValueError("at the end")

    async with running(chat=Sync if sync else Async) as server:
        async with server.websocket("/chat"):
            pass

        (failed,) = happened(server, "disconnect.failed")
        assert failed.facts["exception"] == "ValueError: at the end"
        assert happened(server, "slot.crashed") == happened(server, "slot.restarted") == []
        assert len(happened(server, "slot.ended")) == 1


async def test_disconnect_that_overruns(clock: trio.testing.MockClock) -> None:
    """
    disconnect() has five seconds; then it is cancelled and reported, and the slot ends.
    """
    cancelled: list[float] = []

    class Chat(WebsocketConsumer):
        async def disconnect(self, message):
            began = trio.current_time()
            try:
                await trio.sleep_forever()
            finally:
                cancelled.append(trio.current_time() - began)

    async with running(chat=Chat) as server:
        async with server.websocket("/chat", timeout=60):
            pass

        (failed,) = happened(server, "disconnect.failed")
        assert failed.facts == {"reason": "it ran longer than 5 s"}
    assert [round(seconds) for seconds in cancelled] == [5]


async def test_disconnect_may_send_into_the_void() -> None:
    """
    send() in disconnect() raises Disconnected; that it escapes is no failure.
    """
    raised: list[Disconnected] = []

    class Chat(WebsocketConsumer):
        async def disconnect(self, message):
            try:
                self.send(text="bye")
            except Disconnected as error:
                raised.append(error)
                raise

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            ws.disconnect(3001, "gone")

        assert happened(server, "disconnect.failed") == []
    assert (raised[0].code, raised[0].reason) == (3001, "gone")


async def test_who_is_asked_to_go_may_send_its_last_words() -> None:
    """
    After a requested stop the socket is open until disconnect() has run, and closes behind it.
    """

    class Chat(WebsocketConsumer):
        async def disconnect(self, message):
            await self.send(text="bye")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        server.root.find(ws.slot.path).stop()

        assert await ws.receive() == "bye"
        with pytest.raises(SocketClosed, match="1000"):
            await ws.receive()


async def test_what_disconnect_starts_ends_at_once(clock: trio.testing.MockClock) -> None:
    """
    start_soon() and timers in disconnect() start nothing, on a living instance or a new one.
    """

    class Chat(WebsocketConsumer):
        max_restarts = 0

        async def receive(self, text):
            raise ValueError

        async def disconnect(self, message):
            self.start_soon(trio.sleep_forever)
            self.send_after(1, {"type": "tick"})

    async with running(chat=Chat) as server:
        for text in ("", "boom"):
            async with server.websocket("/chat", timeout=60) as ws:
                if text:
                    ws.send_text(text)
                    await ws.closed()
            assert ws.application_done.is_set()
        assert [event.facts["what"] for event in happened(server, "work.stale")] == [
            "start_soon"
        ] * 2


@pytest.mark.parametrize("error", [ValueError, SystemExit])
async def test_last_words_after_a_restored_that_raises(error: type[BaseException]) -> None:
    """
    ONE END: restored() raising on the instance made for disconnect() is told as its own failure,
    and disconnect() runs there with what was kept.
    """
    said: list[tuple[str, int]] = []

    class Chat(WebsocketConsumer):
        max_restarts = 0
        keep = ["name"]

        async def connect(self):
            self.name = "Ada"
            self.accept()

        def snapshot(self):
            return 1

        async def restored(self, state):
            raise error("old format")

        async def receive(self, text):
            raise KeyError(text)

        async def disconnect(self, code):
            said.append((self.name, code))

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("boom")
            await ws.closed()

        assert said == [("Ada", 1011)]
        assert [crash.message for crash in ws.slot.crashes] == ["text frame of 4", "restored"]
        assert len(happened(server, "slot.fatal")) == (error is SystemExit)
        assert happened(server, "disconnect.failed") == []


async def test_last_words_without_an_instance() -> None:
    """
    Where __init__() raises for disconnect()'s instance, the report names __init__() and says that
    disconnect() did not run.
    """
    made: list[object] = []

    class Chat(WebsocketConsumer):
        max_restarts = 0

        def __init__(self):
            made.append(self)
            if len(made) > 1:
                raise ValueError("no database")

        async def receive(self, text):
            raise KeyError(text)

        async def disconnect(self, code):
            raise AssertionError

    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("boom")
            await ws.closed()

        assert ws.slot.crashes[-1].message == "__init__"
        assert ws.slot.crashes[-1].text == "no database"
        (failed,) = happened(server, "disconnect.failed")
        assert failed.facts == {
            "reason": "disconnect() did not run: __init__() of the instance made for it raised"
        }


async def test_a_resident_ends_with_stopped() -> None:
    """
    A plain actor's last handler is stopped(reason); it runs once.
    """
    reasons: list[str] = []

    class Ticker(Actor):
        def stopped(self, reason):
            reasons.append(reason)

    async with running(Ticker):
        pass

    assert reasons == ["shutdown"]
