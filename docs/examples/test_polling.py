from polling.consumers import RoomConsumer

from greenroom.bridges.testing import serve


async def test_a_room():
    async with (
        serve(RoomConsumer.as_asgi()) as server,
        server.long_poll("/") as one,
        server.long_poll("/") as two,
    ):
        assert await one.receive_text() == "welcome"
        assert await two.receive_text() == "welcome"
        one.send_text("/crash")
        one.send_text("hi")
        assert await one.receive_text() == "Anonymous: hi"
        assert await two.receive_text() == "Anonymous: hi"
        one.send_text("/quit")
        assert (await one.closed()).code == 4000
