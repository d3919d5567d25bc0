# Tests of docs/examples/keep_state.py, for pytest with pytest-trio (trio_mode = true).
import pytest
from greenroom.bridges.testing import HandshakeRefused, SocketClosed, serve, virtual_clock

from keep_state import Forgetful, Keeping


@pytest.fixture
def clock():
    """Waits take no time: pytest-trio runs the test on this clock."""
    return virtual_clock()


async def test_answers():
    async with serve(Forgetful.as_asgi()) as server, server.websocket("/") as client:
        client.send_text("3")
        assert await client.receive_text() == "3"


async def test_survives_a_crash(clock):
    async with serve(Keeping.as_asgi()) as server, server.websocket("/") as client:
        client.send_text("3")
        await client.receive_text()
        client.crash(OSError("the disk is full"))
        node = await client.wait_restarted()
        client.send_text("4")
        assert await client.receive_text() == "7"
        assert (node.epoch, node.crashes[-1].exception) == (2, "OSError")


async def test_gives_up_after_three_restarts(clock):
    async with serve(Forgetful.as_asgi()) as server, server.websocket("/") as client:
        for _ in range(4):
            client.send_text("no number")
        with pytest.raises(SocketClosed) as closed:
            await client.receive()
        assert closed.value.code == 1011
        assert server.root.events.counts()["slot.gave_up"] == 1


async def test_unknown_address_is_refused():
    from mysite.asgi import application

    async with serve(application) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/ws/nowhere/"):
                pass
        assert refused.value.status == 404
