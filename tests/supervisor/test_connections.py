# The connections' supervisor: records, not tasks; asks, and awaits.

import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import WebsocketConsumer
from greenroom.supervisor import Options


class Chat(WebsocketConsumer):
    ends: list[str]

    async def connect(self, message):
        await self.accept()
        await self.join("room")

    async def receive(self, text):
        await self.send(text=text)

    async def disconnect(self, code, reason):
        self.ends.append(f"{code} {reason}")


def chat() -> type[Chat]:
    return type("Chat", (Chat,), {"ends": []})


async def test_each_connection_has_a_place_below_its_route() -> None:
    """
    Routes are nodes, numbers are never used twice, and an empty route is gone.
    """
    async with running(chat=chat(), other=chat()) as server:
        async with server.websocket("/chat"), server.websocket("/other"), server.websocket("/chat"):
            node = server.root.snapshot().children[0]
            assert (node.path, node.kind, node.facts["open"]) == ("/connections", "supervisor", 3)
            assert [route.path for route in node.children] == [
                "/connections/chat", "/connections/other",
            ]  # fmt: skip
            assert [slot.path for slot in node.children[0].children] == [
                "/connections/chat/1", "/connections/chat/3",
            ]  # fmt: skip
            assert node.children[0].facts == {"open": 2}
        assert server.root.snapshot().children[0].children == ()
        async with server.websocket("/chat") as ws:
            assert ws.slot.path == "/connections/chat/4"
    assert "connections" in repr(node)


async def test_snapshots_are_of_their_moment() -> None:
    """
    A snapshot does not change with the tree, and cannot be changed.
    """
    async with running(chat=chat()) as server, server.websocket("/chat") as ws:
        before = server.root.snapshot()
        ws.send_text("hi")
        await ws.receive()
        ws.crash()
        await ws.wait_restarted()
        after = server.root.snapshot()

        old, new = (tree.find("/connections/chat/1") for tree in (before, after))
        assert old is not None
        assert new is not None
        assert (old.epoch, new.epoch) == (1, 2)
        assert (old.crashes, len(new.crashes)) == ((), 1)
        assert (old.groups, new.facts["url"]) == (("room",), "/chat")
        assert "epoch" in str(new.as_dict())


async def test_drain_ends_all_and_refuses_more() -> None:
    """
    Drain asks every connection to end, refuses new ones, and says whether all have ended.
    """
    served = chat()
    async with running(chat=served) as server:
        sockets = [server.dial("/chat") for _ in range(20)]
        for each in sockets:
            await each.handshake()
        drained: list[bool] = []

        async def drain() -> None:
            drained.append(await server.root.drain("going down", 1001))

        server.start_soon(drain)
        for each in sockets:
            closed = await each.closed()
            assert closed.code == 1001
        await settle(lambda: drained)

        assert drained == [True]
        assert served.ends == ["1001 going down"] * 20
        late = server.dial("/chat")
        await late.application_done.wait()
        (refused,) = happened(server, "connection.refused")
        assert refused.facts["reason"] == "the server is shutting down"
        assert server.root.connections.left() == []


async def test_drain_gives_up_in_time(autojump_clock: MockClock) -> None:
    """
    A connection that does not end does not hold drain beyond its deadline.
    """

    class Stubborn(Chat):
        ends: list[str] = []

        async def disconnect(self, code):
            with trio.CancelScope(shield=True):
                await trio.sleep(60)

    options = Options(total_shutdown_seconds=10, close_seconds=0)
    async with running(chat=Stubborn, options=options) as server:
        ws = server.dial("/chat")
        await ws.handshake()

        assert not await server.root.drain()
        assert server.root.connections.left() == ["/connections/chat/1"]
        assert await server.root.connections.drain("again", 1001, 100)


async def test_one_end_does_not_touch_another() -> None:
    """
    One connection's stop leaves the others as they are.
    """
    served = chat()
    async with running(chat=served) as server:
        async with server.websocket("/chat") as first, server.websocket("/chat") as second:
            server.root.find(first.slot.path).stop("you")
            await first.closed()
            second.send_text("still here")
            assert await second.receive() == "still here"
            assert server.root.groups.names() == {"room": 1}
    assert served.ends == ["1000 you", "1000 "]
