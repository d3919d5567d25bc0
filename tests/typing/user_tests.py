# How a user tests a consumer: in process, under a virtual clock.
from __future__ import annotations

import trio

from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import (
    BlockingServer, GreenroomTestCase, SlowReader, live_server, open_server, run_server, serve,
    virtual_clock,
)
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


def test_without_a_loop() -> None:
    with run_server(SyncChat.as_asgi(), clock=virtual_clock()) as server:
        with server.websocket("/", headers=[("x-one", "1")]) as socket:
            socket.send_text("boom")
            error: BaseException = socket.wait_crash(ValueError, match="boom")
            text: str = socket.receive_text(timeout=60)
            print(error, text, socket.slot.epoch)
        nothing_is_wrong(server)


def nothing_is_wrong(server: BlockingServer) -> None:
    server.assert_no_dead_letters()
    print(server.wait_event("slot.crashed", count=1).path, server.http("GET", "/").status)


async def test_on_any_loop() -> None:
    async with open_server(SyncChat.as_asgi()) as server, server.websocket("/") as socket:
        print(len(await socket.receive_text()))


def test_live() -> None:
    with live_server(SyncChat.as_asgi()) as server, SlowReader(server.ws_url) as client:
        print(client.receive(), server.port + 1)
        server.wait_restarted(server.sockets()[0].path)


async def test_live_and_async() -> None:
    with live_server(flavour="async") as server:
        await server.wait_closed()
        print(f"{server.url}/")


class Case(GreenroomTestCase):
    application = SyncChat.as_asgi()
    virtual_clock = True

    def test_it(self) -> None:
        with self.server.websocket("/") as socket:
            self.assertEqual(socket.receive_text(), "[Welcome Anonymous!]")


if __name__ == "__main__":
    trio.run(test_a_crash_keeps_the_socket, clock=virtual_clock())
