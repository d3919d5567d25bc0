# How a user tests a consumer: in process, under a virtual clock.
from __future__ import annotations

import trio

from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import serve, virtual_clock
from greenroom.supervisor import NodeSnapshot

from consumers import CountPeople, SyncChat


async def test_a_crash_keeps_the_socket() -> None:
    async with serve(SyncChat.as_asgi()) as server, server.websocket("/") as socket:
        assert await socket.receive_text() == "[Welcome Anonymous!]"
        socket.crash()
        node: NodeSnapshot = await socket.wait_restarted()
        socket.send_text("hi")

        assert await socket.receive_text() == "Anonymous: hi"
        assert node.epoch == 2
        assert await server.root.find(node.path).call(CountPeople(), timeout=1) == 0


async def test_residents() -> None:
    async with serve(Application(children=["residents.Ticker"])) as server:
        server.root.groups.send("market", text="opened")


if __name__ == "__main__":
    trio.run(test_a_crash_keeps_the_socket, clock=virtual_clock())
