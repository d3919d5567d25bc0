# The parts of `manage.py serve` that need no server. The server itself: tests/e2e.

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from greenroom.bridges.hypercorn import _serve
from greenroom.bridges.hypercorn._serve import (
    ServeError,
    full_address,
    refuse_taken,
    serve,
    who_listens,
)
from greenroom.bridges.hypercorn._startup import owns_process


@pytest.mark.parametrize(
    ("bind", "full"),
    [
        ("8000", "127.0.0.1:8000"),
        (":8000", "127.0.0.1:8000"),
        ("localhost", "localhost:8000"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]", "[::1]:8000"),
        ("[::1]:9000", "[::1]:9000"),
        ("unix:/run/site.sock", "unix:/run/site.sock"),
        ("fd://3", "fd://3"),
    ],
)
def test_addresses_are_filled_up(bind: str, full: str) -> None:
    """
    A port, a host, both, a socket file and a descriptor are addresses.
    """
    assert full_address(bind) == full


@pytest.mark.parametrize("bind", ["host:http", "host:65536", "host:"])
def test_other_addresses_are_refused(bind: str) -> None:
    """
    What has no port number is refused.
    """
    with pytest.raises(ServeError, match="is no address: write it like"):
        full_address(bind)


def test_free_addresses_pass() -> None:
    """
    A free port, a socket file and a descriptor are not in the way.
    """
    refuse_taken(["127.0.0.1:0", "unix:/nowhere", "fd://3"])


def test_a_taken_port_is_named_with_its_owner() -> None:
    """
    The message names the process that listens, where the system shows it.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError) as refused:
            refuse_taken([f"127.0.0.1:{port}"])
        owner = who_listens(port)

    assert f"--bind :{port + 1}" in str(refused.value)
    if Path("/proc/net/tcp").exists():
        assert owner.startswith(f"process {os.getpid()} (")
        assert owner in str(refused.value)
    assert who_listens(port) == ""


def test_a_forbidden_port_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A port below 1024 without the privilege suggests another one.
    """

    def forbid(_host: str, _port: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_serve, "_try_to_bind", forbid)

    with pytest.raises(ServeError, match=r"needs a privilege .* Try --bind :8080"):
        refuse_taken(["0.0.0.0:80"])


def test_a_failed_startup_is_told() -> None:
    """
    An application that answers startup.failed is a ServeError with its message.
    """

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "out of coffee"})

    with pytest.raises(ServeError, match=r"the application did not start: .*out of coffee"):
        serve(app, "nowhere:app", ["127.0.0.1:0"], workers=1)


def test_the_process_is_its_own_while_it_serves() -> None:
    """
    While serve() runs the process is the server's, to be ended by force if need be; then no more.
    """
    owned: list[bool] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        owned.append(owns_process())
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(ServeError):
        serve(app, "nowhere:app", ["127.0.0.1:0"], workers=1)
    assert owned == [True]
    assert not owns_process()
