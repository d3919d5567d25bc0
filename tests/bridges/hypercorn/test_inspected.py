# What an operator sees of a WebSocket that is written to directly.

from client_frames import TEXT, frame
from helpers import running

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.inspection import Inspector

from ._serving import connected


class Echo(WebsocketConsumer):
    """Sends back what comes."""

    async def receive(self, text: str) -> None:
        await self.send(text=text)


async def test_what_went_over_the_wire() -> None:
    """
    Where the socket is written to directly, frames and bytes are those on the wire, both ways.
    """
    async with running(**{"": Echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            hello = await peer.open()
            await peer.send(frame(TEXT, b"hello") + frame(TEXT, b"you"))
            await peer.until(b"you")
            answer = await Inspector(server.root).answer({"ask": "connections"})
            [row] = answer["rows"]
            assert row["transport"] == "WebSocket"
            assert (row["frames_in"], row["bytes_in"]) == (2, 8)
            assert (row["frames_out"], row["bytes_out"]) == (2, len(hello) + 4 + 8)
            assert row["heard"] >= 0
            assert row["address"].startswith("127.0.0.1:")
