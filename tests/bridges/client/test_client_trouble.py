# What a client does when the world fails it. Real sockets; servers that misbehave.

from __future__ import annotations

import pytest
import trio
from client_bench import (
    LONG,
    Server,
    Tree,
    acceptance,
    closed_with,
    heard,
    serve_raw,
)
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import Disconnected, handles
from greenroom.bridges.client import ConnectionLost, WebsocketClient


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    """
    Give a server that listens.
    """
    server = Server()
    await server.start(nursery)
    return server


class TestLoss:
    @pytest.mark.parametrize("threaded", [False, True])
    async def test_a_close_is_told_behind_the_frames_and_makes_it_dial_again(
        self, nursery: trio.Nursery, server: Server, threaded: bool
    ) -> None:
        """
        `disconnected` runs once, after all frames, with code and reason; then it reconnects.
        """
        story: list[object] = []

        class Client(WebsocketClient):
            url = server.url

            async def connected(self) -> None:
                story.append(f"connected {self.epoch}")

            async def receive(self, text: str) -> None:
                story.append(text)

        class Threaded(Client):
            def disconnected(self, code: int, reason: str) -> None:
                story.append((code, reason))

        class OnTrio(Client):
            async def disconnected(self, reason: str, close_code: int) -> None:
                story.append((close_code, reason))

        tree = await Tree.start(nursery, Threaded if threaded else OnTrio)
        first = await server.accepted()
        for n in range(3):
            await first.send_message(f"{n}")
        await first.aclose(4001, "see you")
        second = await server.accepted()
        await second.send_message("again")
        await tree.wait("slot.restarted")
        [crash] = tree.seen("slot.crashed")
        await second.aclose()
        await tree.wait("slot.crashed", 2)

        assert story == [
            "connected 1", "0", "1", "2", (4001, "see you"), "connected 2", "again", (1000, ""),
        ]  # fmt: skip
        assert "exception" not in crash.facts  # expected: one line in the log
        assert str(crash.facts["error"]).startswith(
            f"ConnectionLost: no connection to {server.url} (code 4001): see you"
        )

    async def test_a_broken_connection_is_lost_with_1006(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A connection that ends without a close is lost with code 1006.
        """
        codes: list[int] = []

        class Client(WebsocketClient):
            url = server.url

            async def disconnected(self, code: int) -> None:
                codes.append(code)
                await self.send(text="nobody is there")  # no matter

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        await trio.aclose_forcefully(first._stream)
        await server.accepted()

        assert codes == [1006]
        assert len(tree.seen("slot.crashed")) == 1

    async def test_a_sender_that_waits_is_woken_by_the_loss(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        Who waits for room is told when the connection breaks, and its next send raises.
        """
        told: list[object] = []
        waiting = trio.Event()

        class Client(WebsocketClient):
            url = server.url

            async def connected(self) -> None:
                if self.epoch > 1:
                    return
                try:
                    while True:
                        room = self.send(bytes=b"x" * 65536)
                        waiting.set()
                        await room
                except Disconnected as error:
                    told.append(error.code)

            async def disconnected(self, message: dict[str, object]) -> None:
                told.append(message["type"])

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        with trio.fail_after(LONG):
            await waiting.wait()
            await wait_all_tasks_blocked(0.05)
        await trio.aclose_forcefully(first._stream)
        await tree.wait("slot.restarted")

        assert told == [1006, "websocket.disconnect"]

    async def test_state_and_membership_survive(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        What `keep` names and the groups stand through a loss, as for any actor.
        """

        class Client(WebsocketClient):
            url = server.url
            keep = ("last",)
            last = "nothing"

            async def connected(self) -> None:
                self.join("feeds")
                await self.send(text=f"resume after {self.last}")

            async def receive(self, text: str) -> None:
                self.last = text

            @handles("news")
            async def on_news(self) -> None:
                await self.send(text="news")

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        assert await heard(first) == "resume after nothing"
        await first.send_message("41")
        await first.aclose()
        second = await server.accepted()
        assert await heard(second) == "resume after 41"
        assert tree.root.groups.send("feeds", {"type": "news"}) == 1

        assert await heard(second) == "news"

    async def test_a_message_too_long_ends_the_connection(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        Past `message_limit_bytes` the connection closes with 1009 and is made anew.
        """

        class Client(WebsocketClient):
            url = server.url
            message_limit_bytes = 1000

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        await first.send_message(b"x" * 1001)

        assert await closed_with(first) == 1009
        [crash] = await tree.wait("slot.crashed")
        assert "code 1009" in str(crash.facts["error"])
        await server.accepted()

    async def test_a_handler_may_ask_for_a_new_connection(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        Raising ConnectionLost in a handler closes the connection and makes another.
        """

        class Client(WebsocketClient):
            url = server.url

            async def receive(self, text: str) -> None:
                raise ConnectionLost(self.url, 1000, text)

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        await first.send_message("please refresh")

        assert await closed_with(first) == 1001
        await server.accepted()
        assert "exception" not in tree.seen("slot.crashed")[0].facts


class TestCrash:
    async def test_the_connection_of_a_crashed_incarnation_ends_with_it(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A crash closes the connection politely; frames read over it are dead letters.
        """
        seen: list[str] = []
        crash = trio.Event()

        class Client(WebsocketClient):
            url = server.url
            close_timeout = 1000.0  # not waited out, though the read-ahead is full

            async def receive(self, text: str) -> None:
                seen.append(text)
                if text == "0":
                    await crash.wait()
                    raise ValueError("a bug")

        tree = await Tree.start(nursery, Client)
        first = await server.accepted()
        for n in range(40):
            await first.send_message(f"{n}")
        await wait_all_tasks_blocked(0.05)
        crash.set()

        assert await closed_with(first) == 1001
        second = await server.accepted()
        await second.send_message("new")
        await tree.wait("slot.restarted")
        await tree.wait("message.dead_letter", 16)
        assert tree.seen("slot.unkillable") == []
        assert "exception" in tree.seen("slot.crashed")[0].facts
        await second.aclose()
        await tree.wait("slot.crashed", 2)
        assert seen == ["0", "new"]

    @pytest.mark.parametrize(("close", "shutdown"), [(0.05, 5.0), (1000.0, 4.0)])
    async def test_a_peer_that_does_not_answer_a_close_is_left(
        self, nursery: trio.Nursery, close: float, shutdown: float
    ) -> None:
        """
        A close that nobody answers takes `close_timeout`, within the time for a shutdown.
        """
        upgraded = trio.Event()

        async def accept_and_ignore(stream: trio.SocketStream) -> None:
            await stream.send_all(await acceptance(stream))
            upgraded.set()
            with pytest.raises(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
                raise trio.BrokenResourceError  # a plain end will do as well

        address = await serve_raw(nursery, accept_and_ignore)

        class Client(WebsocketClient):
            url = address
            close_timeout = close
            shutdown_seconds = shutdown

        tree = await Tree.start(nursery, Client)
        with trio.fail_after(LONG):
            await upgraded.wait()
        tree.root.stop()

        await tree.wait("root.stopped")
        assert tree.seen("slot.unkillable") == []
