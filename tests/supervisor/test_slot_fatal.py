# KeyboardInterrupt, SystemExit and Cancelled of scopes that are not ours: that slot ends,
# alone, and nobody else notices.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import Actor, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, WebsocketDriver
from greenroom.supervisor import Options


async def a_cancelled() -> BaseException:
    """Return a Cancelled that some scope has already absorbed."""
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

FATAL: dict[str, BaseException] = {
    "KeyboardInterrupt": KeyboardInterrupt(),
    "SystemExit": SystemExit(3),
    "SystemExit in a group": BaseExceptionGroup("g", [ValueError(), SystemExit(3)]),
    "a foreign Cancelled": CANCELLED,
    "a group of foreign Cancelled": BaseExceptionGroup("g", [CANCELLED, CANCELLED]),
}


class Sync(WebsocketConsumer):
    ends: list[int]
    error: BaseException

    def connect(self, message):
        self.accept()
        self.join("room")

    def receive(self, text):
        if text == "fatal":
            raise self.error
        if text == "task":
            self.start_soon(self.fail)
        else:
            self.send(text=text)

    async def fail(self):
        raise self.error

    @handles("fatal")
    def on_fatal(self, message):
        raise self.error

    def disconnect(self, code):
        self.ends.append(code)


class Async(Sync):
    async def receive(self, text):
        super().receive(text)

    @handles("fatal")
    async def on_fatal(self, message):
        super().on_fatal(message)

    async def disconnect(self, code):
        super().disconnect(code)


@pytest.fixture(params=FATAL)
def error(request: pytest.FixtureRequest) -> BaseException:
    return FATAL[request.param]


@pytest.fixture(params=[Sync, Async])
def chat(request: pytest.FixtureRequest, error: BaseException) -> type[Sync]:
    return type("Chat", (request.param,), {"ends": [], "error": error})


async def check_the_end(server: ServerDriver, ws: WebsocketDriver, neighbour: Any) -> None:
    """It closed with 1011 and one event; the neighbour goes on."""
    closed = await ws.closed()
    await ws.application_done.wait()

    assert (closed.code, closed.reason) == (1011, "")
    (fatal,) = happened(server, "slot.fatal")
    assert fatal.path == ws.slot.path
    assert happened(server, "slot.crashed") == happened(server, "slot.restarted") == []
    neighbour.send_text("still here")
    assert await neighbour.receive() == "still here"
    assert server.root.up
    assert server.root.groups.names() == {"room": 1}


@pytest.mark.parametrize("how", ["frame", "group message", "task"])
async def test_fatal_ends_that_slot_alone(chat: type[Sync], how: str) -> None:
    """
    No restart, `disconnect` once, 1011, one slot.fatal event with the path; neighbours go on.
    """
    quiet = type("Quiet", (chat,), {"on_fatal": handles("fatal")(lambda self, message: None)})
    async with running(chat=chat, quiet=quiet) as server:
        async with server.websocket("/quiet") as neighbour, server.websocket("/chat") as ws:
            await settle(lambda: server.root.groups.names() == {"room": 2})
            if how == "group message":
                server.root.groups.send("room", {"type": "fatal"})
            else:
                ws.send_text({"frame": "fatal"}.get(how, how))
            await check_the_end(server, ws, neighbour)

        assert chat.ends == [1011, 1000]


async def test_disconnect_is_told_a_crash(error: BaseException) -> None:
    """
    What `disconnect` and a client's response say of a fatal end are the words for a crash.
    """
    reasons: list[str] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            raise error

        def disconnect(self, code, reason):
            reasons.append(f"{code} {reason}")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("fatal")
        await ws.closed()
        await ws.application_done.wait()
    assert reasons == ["1011 crashed"]


async def test_fatal_in_a_call_fails_the_call(chat: type[Sync], error: BaseException) -> None:
    """
    The caller of a handler that ends fatally gets CallFailed, not the exception.
    """
    async with running(chat=chat) as server:
        async with server.websocket("/chat") as neighbour, server.websocket("/chat") as ws:
            with pytest.raises(CallFailed) as caught:
                await server.root.find(ws.slot.path).call({"type": "fatal"})
            assert caught.value.__cause__ is error
            await check_the_end(server, ws, neighbour)


async def test_fatal_in_connect(error: BaseException) -> None:
    """
    A fatal end of connect() is a denial with 500, and `disconnect` runs.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        async def connect(self, message):
            raise error

        def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        await settle(lambda: ends)
        assert len(happened(server, "slot.fatal")) == 1

    assert refused.value.status == 500
    assert ends == [1011]


@pytest.mark.parametrize("base", [Sync, Async])
async def test_fatal_in_disconnect(base: type[Sync], error: BaseException) -> None:
    """
    A fatal end of disconnect() is one slot.fatal event; the slot ends and its root goes on.
    """

    class Chat(base):  # type: ignore[valid-type,misc]
        ends: list[int] = []

        def disconnect(self, code):
            raise error

    async with running(chat=Chat) as server:
        async with server.websocket("/chat"):
            pass

        assert len(happened(server, "slot.fatal")) == 1
        assert len(happened(server, "slot.ended")) == 1
        assert server.root.up


async def test_fatal_in_init_of_a_restart(error: BaseException) -> None:
    """
    __init__ of a later incarnation ending fatally ends the slot; its last handler still runs.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        made = 0

        def __init__(self):
            type(self).made += 1
            if self.made == 2:
                raise error

        async def receive(self, text):
            raise ValueError(text)

        async def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("boom")
        assert (await ws.closed()).code == 1011
        await ws.application_done.wait()

    assert ends == [1011]


async def test_fatal_in_a_resident() -> None:
    """
    A resident that raises SystemExit ends, with stopped(); its siblings and the root go on.
    """
    reasons: list[str] = []

    class Bad(Actor):
        @handles("go")
        def go(self, message):
            raise SystemExit(1)

        def stopped(self, reason):
            reasons.append(reason)

    class Good(Actor):
        @handles("go")
        def go(self, message):
            return "fine"

    async with running(Bad, Good) as server:
        fatal = watch(server, "slot.fatal", "/residents/bad")
        server.root.find("/residents/bad").cast({"type": "go"})
        await fatal.until()

        assert await server.root.find("/residents/good").call({"type": "go"}) == "fine"
        await settle(lambda: server.root.readiness() == ["/residents/bad is not up"])
    assert len(reasons) == 1


@pytest.mark.parametrize("on_fatal", ["end", "shutdown"])
async def test_on_fatal(on_fatal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    on_fatal="shutdown" has the process leave, with the path of who ended; "end" does not.
    """
    left: list[str] = []
    monkeypatch.setattr("greenroom.bridges.asgi._app.leave_by_signal", left.append)

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            raise SystemExit

    options = Options(on_fatal=on_fatal)  # type: ignore[arg-type]
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        path = ws.slot.path
        ws.send_text("x")
        await ws.closed()
        await ws.application_done.wait()

    assert left == ([f"fatal error in {path}"] if on_fatal == "shutdown" else [])


async def test_a_cancelled_of_an_own_scope_is_no_end() -> None:
    """
    A handler that uses and absorbs a scope of its own is none of this.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            with trio.move_on_after(0):
                await trio.sleep_forever()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.cancel_scope.cancel()
            await self.send(text=text)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("hi")
        assert await ws.receive() == "hi"
        assert ws.slot.epoch == 1


@pytest.mark.parametrize("after", ["a crash", "a stop"])
async def test_fatal_in_a_thread_that_was_told_to_stop(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A SystemExit of a `def` handler is fatal, also if the incarnation ends already.
    """
    reached, go = threading.Event(), threading.Event()

    class Chat(WebsocketConsumer):
        ends: list[int] = []

        def receive(self, text):
            reached.set()
            assert go.wait(10)
            raise SystemExit

        def disconnect(self, code):
            self.ends.append(code)

    left: list[str] = []
    async with running(chat=Chat) as server:
        monkeypatch.setattr(server.root, "fatal", left.append)
        async with server.websocket("/chat") as ws:
            slot = ws._slot
            ws.send_text("x")
            await settle(reached.is_set)
            if after == "a stop":
                slot.request_stop("enough")
            else:
                slot.inject_crash(ValueError("told too"))
            go.set()
            with trio.fail_after(10):
                await slot.ended.wait()

    assert [each.exception for each in slot.crashes if each.exception != "ValueError"] == [
        "SystemExit"
    ]
    assert (after == "a crash") == any(each.text == "told too" for each in slot.crashes)
    assert len(happened(server, "slot.fatal")) == 1
    assert left == [slot.path]
    assert slot.epoch == 1
    assert Chat.ends == [1011]
