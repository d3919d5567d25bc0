# What an operator sees of a WebSocket that is written to directly.

from typing import Any

import trio
from client_frames import TEXT, frame
from helpers import running
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.testing import ServerDriver

from ._serving import connected


class Echo(WebsocketConsumer):
    """Sends back what comes."""

    async def receive(self, text: str) -> None:
        await self.send(text=text)


async def ask(server: ServerDriver, what: str, **fields: object) -> dict[str, Any]:
    return await Inspector(server.root).answer({"ask": what, **fields})


async def test_what_went_over_the_wire() -> None:
    """
    Where the socket is written to directly, frames and bytes are those on the wire, both ways.
    """
    async with running(**{"": Echo}) as server:
        async with connected(server._application, state=server.state) as peer:
            hello = await peer.open()
            await peer.send(frame(TEXT, b"hello") + frame(TEXT, b"you"))
            await peer.until(b"you")

            [row] = (await ask(server, "connections"))["rows"]
            assert row["transport"] == "WebSocket"
            assert (row["frames_in"], row["bytes_in"]) == (2, 8)
            assert (row["frames_out"], row["bytes_out"]) == (2, len(hello) + 4 + 8)
            assert row["heard"] >= 0
            assert row["address"].startswith("127.0.0.1:")


class Waiting(WebsocketConsumer):
    """Waits for what never comes."""

    async def receive(self) -> None:
        await self.nap()

    async def nap(self) -> None:
        """Wait."""
        await trio.sleep_forever()


async def test_where_it_waits(autojump_clock: MockClock) -> None:
    """
    The stack of a consumer goes from the server's task to the line that waits.
    """
    async with running(**{"": Waiting}) as server:
        async with connected(server._application, state=server.state) as peer:
            await peer.open()
            await peer.send(frame(TEXT, b"hello"))
            await wait_all_tasks_blocked()
            [row] = (await ask(server, "connections"))["rows"]
            answer = await ask(server, "actor", path=row["path"], stack=True)
            assert answer["where"].endswith(" in nap")
            functions = [line.rpartition(" in ")[2] for line in answer["stack"]]
            assert functions[-3:] == ["receive", "nap", "sleep_forever"]
            assert "serve" in functions
            server.root.find(row["path"]).stop("enough")
