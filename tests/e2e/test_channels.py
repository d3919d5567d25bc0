# Consumers as people write them for Channels, on the real server, with a client that nobody here
# wrote: the package websockets.

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from e2e._server import WAIT_SECONDS, Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

TARGET = "channels_chat:application"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """
    One server for the tests that leave it running.
    """
    with Server(TARGET) as server:
        yield server


def dial(server: Server, path: str, **options: Any) -> ClientConnection:
    return connect(f"ws://{server.host}:{server.port}{path}", **options)


def receive(client: ClientConnection) -> str:
    received = client.recv(timeout=WAIT_SECONDS)
    assert isinstance(received, str)
    return received


def close_of(client: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        while True:
            client.recv(timeout=WAIT_SECONDS)
    return client.close_code


def test_chat(server: Server) -> None:
    """
    The chat of Channels' tutorial: who is in a room hears what is said there, nobody else.
    """
    with (
        dial(server, "/ws/chat/lobby/") as one,
        dial(server, "/ws/chat/lobby/") as two,
        dial(server, "/ws/chat/cellar/") as other,
    ):
        one.send(json.dumps({"message": "hello"}))
        assert [json.loads(receive(each)) for each in (one, two)] == [{"message": "hello"}] * 2
        other.send(json.dumps({"message": "echo"}))
        assert json.loads(receive(other)) == {"message": "echo"}


def test_a_crash_in_the_chat(server: Server) -> None:
    """
    The socket of a consumer that has raised stays open, and in its room.
    """
    with dial(server, "/ws/chat/crash/") as one, dial(server, "/ws/chat/crash/") as two:
        one.send(json.dumps({"message": "/crash"}))
        one.send(json.dumps({"message": "still here"}))
        assert [json.loads(receive(each)) for each in (one, two)] == [{"message": "still here"}] * 2
        two.send(json.dumps({"message": "both"}))
        assert [json.loads(receive(each)) for each in (one, two)] == [{"message": "both"}] * 2
        (node,) = [each for each in server.slots("chat") if each["crashes"]]
        assert (node["actor"], node["epoch"]) == ("ChatConsumer", 2)
        (crash,) = node["crashes"]
        assert 'raise ValueError("asked to")' in crash["traceback"]
        assert "in receive" in crash["traceback"].splitlines()[1]


def test_the_orm_in_threads(server: Server) -> None:
    """
    A sync consumer uses the ORM, and groups by way of async_to_sync.
    """
    with dial(server, "/ws/signup/") as one, dial(server, "/ws/signup/") as two:
        one.send("eve")
        assert [receive(each) for each in (one, two)] == ["1", "1"]
        two.send("bob")
        assert [receive(each) for each in (one, two)] == ["2", "2"]


def test_mixins(server: Server) -> None:
    """
    Mixins around `dispatch` and `websocket_connect` do their part; subprotocols and codes pass.
    """
    for query in ("denied=1", "anonymous=1"):
        with pytest.raises(InvalidStatus) as refused:
            dial(server, f"/ws/presence/?{query}")
        assert refused.value.response.status_code == 403
    # Who was refused is told of it, too, behind the answer.
    server.until("they have gone", lambda: not server.slots("presence"))
    before = server.count("dispatched")
    with dial(server, "/ws/presence/", subprotocols=["json"]) as client:
        assert client.subprotocol == "json"
        client.send(json.dumps({"action": "ping", "n": 7}))
        assert json.loads(receive(client)) == {"pong": 7}
        client.send(json.dumps({"action": "leave"}))
        assert json.loads(receive(client)) == {"bye": True}
        assert close_of(client) == 4000
    server.until_count("dispatched", before + 4)  # connect, two messages, disconnect


def test_tasks_of_asyncio(server: Server) -> None:
    """
    A consumer that uses asyncio.create_task is served, and its task ends with its socket.
    """
    with dial(server, "/ws/ticker/") as client:
        assert [receive(client) for _ in range(3)] == ["tick 0", "tick 1", "tick 2"]
    server.until("the ticker's slot is gone", lambda: not server.slots("ticker"))


def test_bad_json(server: Server) -> None:
    """
    What is no JSON crashes the handler and not the socket.
    """
    with dial(server, "/ws/json/") as client:
        client.send("{")
        client.send(b"{}")
        client.send('{"a": 1}')
        assert json.loads(receive(client)) == {"echo": {"a": 1}}


def test_http(server: Server) -> None:
    """
    An HTTP consumer answers; a long-poll answers when there is news, and ends.
    """
    url = f"http://{server.host}:{server.port}"
    with urlopen(Request(f"{url}/answer", b"hello"), timeout=WAIT_SECONDS) as answer:
        assert answer.read() == b"HELLO"
    before = server.count("polls")
    with urlopen(f"{url}/poll", timeout=WAIT_SECONDS) as answer:
        server.until_count("polls", before + 1)
        with urlopen(f"{url}/publish", timeout=WAIT_SECONDS):
            pass
        assert json.loads(answer.read()) == [1, 2]
    server.until_count("polls ended", before + 1)


def test_a_long_poll_that_is_left(server: Server) -> None:
    """
    A client that leaves its long-poll ends it.
    """
    polls, ended = server.count("polls"), server.count("polls ended")
    answer = urlopen(f"http://{server.host}:{server.port}/poll", timeout=WAIT_SECONDS)
    server.until_count("polls", polls + 1)
    answer.close()
    server.until_count("polls ended", ended + 1)


@pytest.mark.parametrize("to", ["worker", "group"])
def test_sigterm(tmp_path: Path, to: str) -> None:
    """
    At SIGTERM each `disconnect` runs, and each client gets a close frame.
    """
    log = tmp_path / "log"
    with Server(TARGET, env={"E2E_LOG": str(log)}) as server, ExitStack() as stack:
        paths = [f"/ws/{each}/" for each in ("chat/a", "signup", "ticker")]
        clients = [stack.enter_context(dial(server, each)) for each in paths]
        receive(clients[2])
        server.signal(signal.SIGTERM, to=to)
        codes = [close_of(client) for client in clients]
        server.wait_end()
    assert codes == [1012, 1012, 1012]
    lines = sorted(log.read_text().splitlines())
    assert lines == [f"{each} disconnect 1012" for each in ("chat", "signup", "ticker")]


def test_clients_that_go(tmp_path: Path) -> None:
    """
    `disconnect` gets the client's code; one that is gone without a word is 1006.
    """
    log = tmp_path / "log"
    with Server(TARGET, env={"E2E_LOG": str(log)}) as server:
        with dial(server, "/ws/chat/a/") as client:
            client.close(4007, "bye")
        server.until("its disconnect", lambda: log.exists() and log.read_text())
        with dial(server, "/ws/signup/") as client:
            client.socket.shutdown(socket.SHUT_RDWR)
        server.until("the other's", lambda: len(log.read_text().splitlines()) > 1)
    assert log.read_text().splitlines() == ["chat disconnect 4007", "signup disconnect 1006"]
