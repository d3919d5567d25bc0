# With pytest and pytest-trio (trio_mode = true). MockClock is trio's own.
import pytest
import trio
from greenroom.actors import WebsocketConsumer, handles
from greenroom.bridges.testing import serve
from trio.testing import MockClock


class Reminder(WebsocketConsumer):
    def receive(self, text):
        self.send_after(3600, {"type": "remind"})
        self.send(text="in an hour")

    @handles("remind")
    def remind(self, message):
        self.send(text="now")


@pytest.fixture
def clock():
    return MockClock(autojump_threshold=0)


async def test_reminds_in_an_hour(clock):
    application = Reminder.as_asgi()
    async with serve(application, threads="inline") as server, server.websocket("/") as client:
        client.send_text("tea")
        assert await client.receive_text() == "in an hour"
        began = trio.current_time()
        assert await client.receive_text(timeout=4000) == "now"
        assert trio.current_time() - began == pytest.approx(3600)
