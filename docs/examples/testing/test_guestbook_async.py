# For pytest-trio (trio_mode = true), or pytest-asyncio (asyncio_mode = auto), or anyio.
import pytest
from chat.models import Entry


@pytest.mark.django_db
async def test_an_entry_is_stored(greenroom_server):
    await Entry.objects.acreate(text="the test's own")
    async with greenroom_server.websocket("/ws/guestbook/") as client:
        client.send_text("hello")
        assert (await client.receive_text()).endswith(": hello")
    assert await Entry.objects.acount() == 2


async def test_a_guest_who_falls_asleep(greenroom_server, greenroom_clock):
    async with greenroom_server.websocket("/ws/guestbook/") as client:
        assert await client.receive_text(timeout=61) == "Still there?"
        client.crash()
        await client.wait_restarted()
