# What becomes of a slot's handlers when every worker thread is busy.

import threading

import pytest
import trio
from helpers import happened, running, watch
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import HandshakeRefused
from greenroom.supervisor import Options
from greenroom.supervisor._slot import Slot

OPTIONS = Options(
    consumer_threads=1, close_seconds=0, disconnect_seconds=1, total_shutdown_seconds=6
)


class Blocked(WebsocketConsumer):
    """Holds the one thread until it is released."""

    entered: trio.Event
    released: threading.Event

    async def connect(self, message):
        await self.accept()

    def receive(self, text):
        self.tell()
        self.released.wait(60)

    def tell(self) -> None:
        trio.from_thread.run_sync(self.entered.set, trio_token=self.token)


def blocked() -> type[Blocked]:
    """Return the class with its own events."""
    facts = {"entered": trio.Event(), "released": threading.Event()}
    return type("Blocked", (Blocked,), {**facts, "token": trio.lowlevel.current_trio_token()})


async def test_disconnect_waits_for_a_thread() -> None:
    """
    A `def disconnect` for which no thread is free runs as soon as there is one.
    """
    log: list[str] = []

    class Leaver(WebsocketConsumer):
        async def connect(self, message):
            await self.accept()

        def disconnect(self, message):
            log.append("disconnect")

    holder = blocked()
    async with running(blocked=holder, leaver=Leaver, options=OPTIONS) as server:
        busy = server.dial("/blocked")
        await busy.handshake()
        busy.send_text("hold")
        await holder.entered.wait()
        ended = watch(server, "slot.ended", "/connections/leaver/2")
        leaver = server.dial("/leaver")
        await leaver.handshake()
        leaver.disconnect(1000)
        await wait_all_tasks_blocked()
        assert log == []
        holder.released.set()
        await ended.until()

    assert log == ["disconnect"]
    assert happened(server, "disconnect.failed") == []


async def test_connect_for_which_no_thread_is_free() -> None:
    """
    A `def connect` that never began is not blamed: the record says who holds the threads.
    """

    class Late(WebsocketConsumer):
        handshake_seconds = 0.01  # its own: the other one may take its time to accept

        def connect(self, message):
            self.accept()

    holder = blocked()
    async with running(blocked=holder, late=Late, options=OPTIONS) as server:
        busy = server.dial("/blocked")
        await busy.handshake()
        busy.send_text("hold")
        await holder.entered.wait()
        with pytest.raises(HandshakeRefused):
            await server.dial("/late").handshake()
        holder.released.set()

    (crash,) = happened(server, "slot.crashed", "/connections/late/2")
    text = str(crash.facts["exception"])
    assert "connect() did not run: all 1 threads of the pool 'consumers' were busy" in text
    assert "/connections/blocked/1#1 receive" in text


async def test_a_fault_of_ours_ends_its_own_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An error inside the slot itself closes that socket with 1011, is told, and hangs nobody.
    """

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            await self.send(text=text)

    async with running(chat=Chat, options=OPTIONS) as server, server.websocket("/chat") as other:
        ws = server.dial("/chat")
        await ws.handshake()
        monkeypatch.setattr(Slot, "_finish", broken)
        ws.disconnect(1000)
        with trio.fail_after(30):
            await watch(server, "connection.closed", ws.slot.path).until()
        monkeypatch.undo()
        other.send_text("hi")
        assert await other.receive_text() == "hi"

    (fatal,) = happened(server, "slot.fatal")
    assert fatal.facts["reason"] == "a fault in Greenroom itself"


async def broken(*_: object) -> None:
    """Fail where nobody expects it, with something that is no Exception."""
    await trio.lowlevel.checkpoint()
    raise SystemExit("broken")
