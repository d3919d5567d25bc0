# A slot looked at: a snapshot is true at every moment, and changes nothing.

import pytest
import trio
from helpers import running
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer
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
