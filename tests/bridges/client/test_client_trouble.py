# What a client does when the world fails it. Real sockets; servers that misbehave.

from __future__ import annotations

import pytest
import trio
from client_bench import AT_ONCE, LONG, Server, Tree, closed_with, heard, serve_raw
from trio.testing import wait_all_tasks_blocked
from trio_websocket import WebSocketConnection
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping

from greenroom.actors import Disconnected, StartFailed, handles
from greenroom.bridges.client import ConnectionLost, WebsocketClient
from greenroom.supervisor import Options


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

    @pytest.mark.parametrize(("close", "shutdown"), [(0.05, 5.0), (1000.0, 0.5)])
    async def test_a_peer_that_does_not_answer_a_close_is_left(
        self, nursery: trio.Nursery, close: float, shutdown: float
    ) -> None:
        """
        A close that nobody answers takes `close_timeout`, within the time for a shutdown.
        """
        upgraded = trio.Event()

        async def accept_and_ignore(stream: trio.SocketStream) -> None:
            await stream.send_all(await _acceptance(stream))
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


class TestReachingTheServer:
    async def test_a_server_that_is_down_does_not_keep_the_tree_from_starting(
        self, nursery: trio.Nursery
    ) -> None:
        """
        The tree starts, the client tries with pauses, and connects when the server is up.
        """
        server = Server()
        [free] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = free.socket.getsockname()[1]
        await free.aclose()

        class Client(WebsocketClient):
            url = f"ws://127.0.0.1:{port}/feed"

            async def connected(self) -> None:
                await self.send(text="here I am")

            async def disconnected(self) -> None:
                raise AssertionError("it was never connected")

        options = Options(backoff_min_seconds=0.001, backoff_max_seconds=0.01)
        tree = await Tree.start(nursery, Client, options)
        crashes = await tree.wait("slot.crashed", 4)
        await tree.wait("slot.backing_off", 3)
        await server.start(nursery, port)

        assert await heard(await server.accepted()) == "here I am"
        assert all("exception" not in crash.facts for crash in crashes)
        assert "ConnectionLost" in str(crashes[0].facts["error"])
        assert str(port) in str(crashes[0].facts["error"])
        assert tree.seen("slot.gave_up") == []

    async def test_a_refusal_is_told_by_its_status(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A handshake that is answered with an HTTP status is lost with that status.
        """
        server.refuse_with = 401

        class Client(WebsocketClient):
            url = server.url + "?token=secret"

        tree = await Tree.start(nursery, Client)
        [crash, *_] = await tree.wait("slot.crashed")

        assert str(crash.facts["error"]).endswith("/feed (code 1006): the server answered 401")
        server.refuse_with = None
        await server.accepted()

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (b"", "the server ended the connection instead of accepting it"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "RemoteProtocolError: illegal status line"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "the server answered 200"),
        ],
        ids=["nothing", "another protocol", "plain HTTP"],
    )
    async def test_a_server_that_is_none_is_noticed_at_once(
        self, nursery: trio.Nursery, answer: bytes, reason: str
    ) -> None:
        """
        An end or a strange answer during the handshake is not waited out.
        """

        async def misbehave(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.send_all(answer)

        address = await serve_raw(nursery, misbehave)

        class Client(WebsocketClient):
            url = address
            connect_timeout = 1000.0

        tree = await Tree.start(nursery, Client)
        [crash, *_] = await tree.wait("slot.crashed")

        assert reason in str(crash.facts["error"])

    async def test_a_server_that_says_nothing_is_left(self, nursery: trio.Nursery) -> None:
        """
        A handshake without an answer ends after `connect_timeout`.
        """

        address = await serve_raw(nursery, _listen)

        class Client(WebsocketClient):
            url = address
            connect_timeout = 0.01

        tree = await Tree.start(nursery, Client)
        [crash, *_] = await tree.wait("slot.crashed")

        assert "no connection within 0.01 s" in str(crash.facts["error"])

    async def test_stopping_while_dialling_is_quick(self, nursery: trio.Nursery) -> None:
        """
        A stop does not wait for a handshake that is under way.
        """
        called = trio.Event()

        async def listen(stream: trio.SocketStream) -> None:
            called.set()
            await _listen(stream)

        address = await serve_raw(nursery, listen)

        class Client(WebsocketClient):
            url = address
            connect_timeout = close_timeout = 1000.0

        tree = await Tree.start(nursery, Client)
        with trio.fail_after(LONG):
            await called.wait()
        tree.root.stop()

        await tree.wait("root.stopped")
        assert tree.seen("slot.unkillable") == tree.seen("slot.crashed") == []

    @pytest.mark.parametrize("seconds", [0.01, None])
    async def test_a_peer_that_answers_no_ping_is_left(
        self, nursery: trio.Nursery, seconds: float | None
    ) -> None:
        """
        A connection whose ping goes unanswered is lost; with None nobody asks.
        """
        upgraded = trio.Event()

        async def accept_and_ignore(stream: trio.SocketStream) -> None:
            await stream.send_all(await _acceptance(stream))
            upgraded.set()
            await _listen(stream)

        address = await serve_raw(nursery, accept_and_ignore)

        class Client(WebsocketClient):
            url = address
            ping_seconds = seconds
            close_timeout = 0.01

        tree = await Tree.start(nursery, Client)
        with trio.fail_after(LONG):
            await upgraded.wait()
        if seconds is None:
            await wait_all_tasks_blocked(0.05)
            assert tree.seen("slot.crashed") == []
        else:
            [crash, *_] = await tree.wait("slot.crashed")
            assert "no answer to a ping within 0.01 s" in str(crash.facts["error"])

    async def test_pings_are_answered_by_a_living_peer(
        self, nursery: trio.Nursery, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A peer that answers keeps its connection, also while nothing is read from it.
        """
        go_on, pinged = trio.Event(), trio.Event()
        answer = WebSocketConnection._handle_ping_event

        async def answer_and_tell(self: WebSocketConnection, event: Ping) -> None:
            await answer(self, event)
            pinged.set()

        monkeypatch.setattr(WebSocketConnection, "_handle_ping_event", answer_and_tell)

        class Client(WebsocketClient):
            url = server.url
            ping_seconds = 0.02

            async def receive(self, text: str) -> None:
                await go_on.wait()
                await self.send(text=text)

        tree = await Tree.start(nursery, Client)
        connection = await server.accepted()
        for n in range(40):
            await connection.send_message(f"{n}")
        with trio.fail_after(LONG):
            await pinged.wait()
        go_on.set()
        assert [await heard(connection) for _ in range(40)] == [f"{n}" for n in range(40)]
        assert tree.seen("slot.crashed") == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "complaint"),
        [
            ({}, r"needs a url: url = .* Got: None"),
            ({"url": "http://example.org"}, "must begin with ws://host or wss://host. Got"),
            ({"url": "ws://"}, "must begin with ws://host"),
            ({"url": "ws://h:port"}, "bad port"),
            ({"url": "ws://h", "connect_timeout": 0}, "connect_timeout must be a number above 0"),
            ({"url": "ws://h", "headers": ["Cookie: a=b"]}, "headers must be pairs of strings"),
        ],
    )
    async def test_a_wrong_setting_keeps_the_tree_from_starting(
        self, nursery: trio.Nursery, settings: dict[str, object], complaint: str
    ) -> None:
        """
        What can never work is refused at the start, with what was given.
        """
        client = type("Client", (WebsocketClient,), settings)
        with pytest.RaisesGroup(pytest.RaisesExc(StartFailed, match=complaint)):
            await Tree.start(nursery, client, AT_ONCE)

    @pytest.mark.parametrize("hook", ["connected", "receive", "disconnected"])
    def test_an_unknown_parameter_is_refused_with_the_class(self, hook: str) -> None:
        """
        A hook that asks for a name that is not offered is a TypeError at import.
        """

        def wrong(self: object, colour: str) -> None: ...

        with pytest.raises(TypeError, match="unknown parameter 'colour'"):
            type("Client", (WebsocketClient,), {hook: wrong})


async def _listen(stream: trio.SocketStream) -> None:
    """Read and say nothing, until the end."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass


async def _acceptance(stream: trio.SocketStream) -> bytes:
    """Read a handshake and return the answer that accepts it."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(bytes(await stream.receive_some()))
    list(server.events())
    return server.send(AcceptConnection())
