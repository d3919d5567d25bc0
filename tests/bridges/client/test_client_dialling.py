# How a client reaches its server, and what it does where there is none worth reaching.

from __future__ import annotations

import pytest
import trio
from client_bench import (
    AT_ONCE,
    LONG,
    Server,
    Tree,
    acceptance,
    heard,
    listen,
    serve_raw,
)
from ports import free_port
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import WebSocketConnection
from wsproto.events import Ping

from greenroom.actors import StartFailed
from greenroom.bridges.client import WebsocketClient
from greenroom.supervisor import Options


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    """
    Give a server that listens.
    """
    server = Server()
    await server.start(nursery)
    return server


class TestReachingTheServer:
    async def test_a_server_that_is_down_does_not_keep_the_tree_from_starting(
        self, nursery: trio.Nursery
    ) -> None:
        """
        The tree starts, the client tries with pauses, and connects when the server is up.
        """
        server = Server()
        port = free_port()

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
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "breaks the protocol (RemoteProtocolError)"),
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

        address = await serve_raw(nursery, listen)

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

        async def call_and_listen(stream: trio.SocketStream) -> None:
            called.set()
            await listen(stream)

        address = await serve_raw(nursery, call_and_listen)

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
            await stream.send_all(await acceptance(stream))
            upgraded.set()
            await listen(stream)

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
        self,
        nursery: trio.Nursery,
        server: Server,
        monkeypatch: pytest.MonkeyPatch,
        mock_clock: MockClock,
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
            ping_seconds = 1.0

            async def receive(self, text: str) -> None:
                await go_on.wait()
                await self.send(text=text)

        tree = await Tree.start(nursery, Client)
        connection = await server.accepted()
        for n in range(40):
            await connection.send_message(f"{n}")
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(1.1)  # and then it stands: an answer has all the time of the machine
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
