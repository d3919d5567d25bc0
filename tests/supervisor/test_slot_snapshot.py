# A slot looked at: a snapshot is true at every moment, and changes nothing.

import pytest
import trio
from helpers import running, watch
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_a_look_while_tasks_end_counts_nothing_twice(clock: MockClock) -> None:
    """
    A snapshot of a slot whose crashed incarnation's tasks still end leaves its budget alone.
    """

    class Chat(WebsocketConsumer):
        async def started(self):
            self.start_soon(self.linger)

        async def linger(self):
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)

        async def receive(self, text):
            raise ValueError

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        await trio.sleep(4)
        ws.send_text("boom")
        await ws.wait_restarted(2)
        await trio.sleep(3)
        ws.send_text("boom")
        await trio.sleep(0.5)
        looked_at = ws.slot
        await ws.wait_restarted(3)

        assert looked_at.facts["handled"] == 0
        assert looked_at.restarts_left == 2  # and one more is being charged
        assert ws.slot.restarts_left == 1  # both lie within 3 s of being alive


async def test_a_slot_that_rests_handles_nothing(clock: MockClock) -> None:
    """
    A parked resident shows no message at hand.
    """

    class Poor(Actor):
        max_restarts = 0

        @handles("poison")
        async def on_poison(self, message):
            raise ValueError

    async with running(Poor) as server:
        parked = watch(server, "slot.parked")
        server.root.find("/residents/poor").cast({"type": "poison"})
        await parked.until()

        rests = server.root.snapshot().find("/residents/poor")
        assert rests is not None
        assert rests.state == "parked"
        assert "handling" not in rests.facts
