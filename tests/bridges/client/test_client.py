# What a client promises while all goes well. Real sockets, a real tree.

from __future__ import annotations

import threading

import pytest
import trio
from client_bench import LONG, Server, Tree, closed_with, heard
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import CallFailed, Disconnected, StartFailed, handles
from greenroom.bridges.client import WebsocketClient


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    """
    Give a server that listens.
    """
    server = Server()
    await server.start(nursery)
    return server


@pytest.mark.parametrize("threaded", [False, True])
async def test_messages_go_both_ways_in_order(
    nursery: trio.Nursery, server: Server, threaded: bool
) -> None:
    """
    Text and binary messages arrive and leave in order, for `def` and `async def` alike.
    """
    threads: set[int] = set()

    class Echo(WebsocketClient):
        url = server.url

        def receive(self, text: str | None, bytes: bytes | None) -> None:
            threads.add(threading.get_ident())
            self.send(text=text, bytes=bytes)

    class EchoAsync(WebsocketClient):
        url = server.url

        async def receive(self, text: str | None, bytes: bytes | None) -> None:
            threads.add(threading.get_ident())
            await self.send(text=text, bytes=bytes)

    await Tree.start(nursery, Echo if threaded else EchoAsync)
    connection = await server.accepted()
    messages = [f"text {n}" if n % 3 else f"bytes {n}".encode() for n in range(50)] + ["", b""]
    for message in messages:
        await connection.send_message(message)

    assert [await heard(connection) for _ in messages] == messages
    assert (threading.get_ident() in threads) is not threaded


async def test_the_handshake_carries_path_subprotocols_and_headers(
    nursery: trio.Nursery, server: Server
) -> None:
    """
    The request says what the class says, and `connected` learns the chosen subprotocol.
    """
    chosen: list[str | None] = []

    class Client(WebsocketClient):
        url = server.url + "?token=secret"
        subprotocols = ("chat.v2", "chat.v1")

        def __init__(self) -> None:
            self.headers = {"Authorization": "Bearer abc"}

        async def connected(self, subprotocol: str | None) -> None:
            chosen.append(subprotocol)
            chosen.append(self.subprotocol)
            assert self.is_connected
            await self.send(text="ready")

    await Tree.start(nursery, Client)
    connection = await server.accepted()
    assert await heard(connection) == "ready"

    [request] = server.requests
    assert request.path == "/feed?token=secret"
    assert (b"authorization", b"Bearer abc") in request.headers
    assert list(request.proposed_subprotocols) == ["chat.v2", "chat.v1"]
    assert chosen == ["chat.v2", "chat.v2"]


async def test_other_messages_reach_declared_handlers(
    nursery: trio.Nursery, server: Server
) -> None:
    """
    A client is an actor like any other: casts, calls and timers come to its handlers.
    """

    class Client(WebsocketClient):
        url = server.url

        async def connected(self) -> None:
            self.send_after(0, {"type": "tick"})

        @handles("tick")
        def on_tick(self) -> None:
            self.send(text="tick")

        @handles("say")
        async def on_say(self, message: dict[str, str]) -> str:
            await self.send(text=message["what"])
            return "said"

    tree = await Tree.start(nursery, Client)
    connection = await server.accepted()
    ref = tree.root.find("/residents/client")
    assert await heard(connection) == "tick"

    assert await ref.call({"type": "say", "what": "hello"}, timeout=LONG) == "said"
    assert await heard(connection) == "hello"


async def test_a_client_with_no_hooks_reports_what_it_cannot_handle(
    nursery: trio.Nursery, server: Server
) -> None:
    """
    A frame for a class without `receive` is a dead letter; the connection stays.
    """

    class Mute(WebsocketClient):
        url = server.url

    tree = await Tree.start(nursery, Mute)
    connection = await server.accepted()
    await connection.send_message("hello")
    [letter] = await tree.wait("message.dead_letter")

    assert letter.facts["reason"] == "the class has no receive handler"
    assert tree.seen("slot.crashed") == []


async def test_stop_writes_what_waits_and_closes(nursery: trio.Nursery, server: Server) -> None:
    """
    A stop sends what was said before it, closes with 1001, and then runs `stopped`.
    """
    stopped: list[tuple[str, bool]] = []

    class Client(WebsocketClient):
        url = server.url

        async def connected(self) -> None:
            for n in range(20):
                self.send(text=f"{n}")
            self.stop("enough")

        async def stopped(self, reason: str) -> None:
            stopped.append((reason, self.is_connected))

    tree = await Tree.start(nursery, Client)
    connection = await server.accepted()

    assert [await heard(connection) for _ in range(20)] == [f"{n}" for n in range(20)]
    assert await closed_with(connection) == 1001
    await tree.wait("slot.ended")
    assert stopped == [("enough", False)]
    assert tree.seen("slot.crashed") == []


async def test_the_tree_stops_its_client(nursery: trio.Nursery, server: Server) -> None:
    """
    The end of the tree closes the connection, and nothing is left running.
    """

    class Client(WebsocketClient):
        url = server.url

    tree = await Tree.start(nursery, Client)
    connection = await server.accepted()
    tree.root.stop()

    assert await closed_with(connection) == 1001
    await tree.wait("root.stopped")


class TestBackPressure:
    @pytest.mark.parametrize("threaded", [False, True])
    async def test_senders_wait_for_room(
        self, nursery: trio.Nursery, server: Server, threaded: bool
    ) -> None:
        """
        A peer that does not read holds a sender back, on trio and in a thread; nothing is lost.
        """
        sent: list[int] = []
        held, block, count = trio.Event(), b"x" * 65536, 160
        token = trio.lowlevel.current_trio_token()

        class Client(WebsocketClient):
            url = server.url
            output_high_water_bytes = 100_000

            def push(self) -> None:
                for n in range(count):
                    self.send(bytes=block)
                    sent.append(n)
                    token.run_sync_soon(held.set)

            async def push_async(self) -> None:
                for n in range(count):
                    await self.send(bytes=block)
                    sent.append(n)
                    held.set()

        class Threaded(Client):
            def connected(self) -> None:
                self.push()

        class OnTrio(Client):
            async def connected(self) -> None:
                await self.push_async()

        await Tree.start(nursery, Threaded if threaded else OnTrio)
        connection = await server.accepted()
        with trio.fail_after(LONG):
            await held.wait()
            await wait_all_tasks_blocked(0.05)
        assert len(sent) < count  # the kernel's buffers are full, and so is the output

        got = [len(await heard(connection)) for _ in range(count)]
        assert got == [65536] * count

    async def test_past_the_limit_the_connection_is_given_up(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A sender that never waits fills the output up to its limit; then it is lost with 1013.
        """
        outcome: list[BaseException] = []

        class Client(WebsocketClient):
            url = server.url
            output_limit_bytes = 200_000

            async def connected(self) -> None:
                if self.epoch > 1:
                    return
                try:
                    while True:
                        self.send(bytes=b"x" * 65536)
                except Disconnected as error:
                    outcome.append(error)

        tree = await Tree.start(nursery, Client)
        await server.accepted()
        [crash] = await tree.wait("slot.crashed")
        await server.accepted()

        assert "code 1013" in str(crash.facts["error"])
        assert len(outcome) == 1

    async def test_a_busy_actor_stops_the_reading(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        While a handler runs no more than the read-ahead is taken from the socket.
        """
        go_on, last, seen = trio.Event(), trio.Event(), list[str]()

        class Client(WebsocketClient):
            url = server.url

            async def receive(self, text: str) -> None:
                seen.append(text)
                await go_on.wait()
                if text == "last":
                    last.set()

        tree = await Tree.start(nursery, Client)
        connection = await server.accepted()
        for n in range(100):
            await connection.send_message(f"{n}")
        await wait_all_tasks_blocked(0.05)

        mailbox = tree.client.mailbox
        assert mailbox is not None
        assert mailbox[0] == 16
        assert seen == ["0"]
        go_on.set()
        await connection.send_message("last")
        with trio.fail_after(LONG):
            await last.wait()
        assert len(seen) == 101


class TestWithoutAConnection:
    async def test_send_raises_and_the_actor_goes_on(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A send without a connection raises; where it escapes, the message is a dead letter.
        """
        caught: list[Disconnected] = []

        class Client(WebsocketClient):
            url = server.url

            async def started(self) -> None:
                try:
                    await self.send(text="too early")
                except Disconnected as error:
                    caught.append(error)
                self.start_soon(self.once)

            async def once(self) -> None:
                """Be here: a task may wait for what it needs."""

            @handles("threaded")
            def on_threaded(self) -> None:
                self.send(text="nobody")

            @handles("grouped")
            async def on_grouped(self) -> None:
                async with trio.open_nursery() as inner:
                    inner.start_soon(self.on_call)

            @handles("call")
            async def on_call(self) -> None:
                await self.send(text="nobody")

            @handles("call from a thread")
            def on_threaded_call(self) -> None:
                self.send(text="nobody")

        # The server takes the connection and says nothing: there is none to send over.
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        Client.url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/"
        tree = await Tree.start(nursery, Client)
        ref = tree.root.find("/residents/client")
        ref.cast({"type": "threaded"})
        ref.cast({"type": "grouped"})
        for kind in ("call", "call from a thread"):
            with pytest.raises(CallFailed, match="there is none at the moment") as failed:
                await ref.call({"type": kind}, timeout=LONG)
            assert isinstance(failed.value.__cause__, Disconnected)

        letters = await tree.wait("message.dead_letter", 4)
        assert {letter.facts["reason"] for letter in letters} == {
            "its handler sent without a connection"
        }
        assert len(caught) == 1
        assert tree.seen("slot.crashed") == []
        assert tree.client.state == "running"
        await listener.aclose()

    async def test_sending_in_started_is_refused_with_the_remedy(
        self, nursery: trio.Nursery, server: Server
    ) -> None:
        """
        A class that sends in `started` does not start, and is told where to send.
        """

        class Client(WebsocketClient):
            url = server.url

            async def started(self) -> None:
                await self.send(text="too early")

        refused = pytest.RaisesExc(StartFailed, match=r"Send in connected\(\)")
        with pytest.RaisesGroup(refused):
            await Tree.start(nursery, Client)
