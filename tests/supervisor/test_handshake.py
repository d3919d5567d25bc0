# The deadline of connect(): it holds until the handshake is answered, and no longer.

import math

import pytest
import trio
from helpers import happened, running, watch

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import HandshakeRefused, virtual_clock


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return virtual_clock()


class Undecided(WebsocketConsumer):
    """Waits for ever before it has answered."""

    ends: list[int] = []

    async def connect(self):
        await trio.sleep_forever()

    def disconnect(self, code):
        self.ends.append(code)


class Thorough(WebsocketConsumer):
    """Answers at once and then takes a minute."""

    async def connect(self):
        self.accept()
        await trio.sleep(60)
        self.send(text="ready")


class ThoroughThread(WebsocketConsumer):
    """Answers from a worker thread, and waits there for another actor."""

    def connect(self):
        self.accept()
        self.find("/residents/slow").call_blocking({"type": "wait"}, timeout=100)
        self.send(text="ready")


class Slow(Actor):
    """Replies after a minute."""

    @handles("wait")
    async def wait(self, message):
        await trio.sleep(60)


async def test_an_undecided_connect_is_refused(clock: trio.testing.MockClock) -> None:
    """
    A connect() that neither accepts nor closes is cancelled: 500, one disconnect, one report.
    """
    Undecided.ends.clear()
    async with running(chat=Undecided) as server:
        ended = watch(server, "slot.ended")
        began = trio.current_time()
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat", timeout=60):
                pass

        assert refused.value.status == 500
        assert trio.current_time() - began == pytest.approx(10, abs=1)
        await ended.until()
        (crash,) = happened(server, "slot.crashed")
        assert "neither accepted nor closed within 10 s" in str(crash.facts["exception"])
        assert Undecided.ends == [1011]


@pytest.mark.parametrize("consumer", [Thorough, ThoroughThread])
async def test_an_accepted_connect_may_take_its_time(
    consumer: type[WebsocketConsumer], clock: trio.testing.MockClock
) -> None:
    """
    Once it has accepted, connect() may outlast the deadline, on trio and in a thread.
    """
    async with running(Slow, chat=consumer) as server, server.websocket("/chat") as ws:
        # No deadline that the clock could jump to while the thread has yet to take its reply.
        assert await ws.receive_text(timeout=math.inf) == "ready"
        await trio.sleep(30)
        assert ws.slot.state == "running"
        assert happened(server, "slot.crashed") == []
