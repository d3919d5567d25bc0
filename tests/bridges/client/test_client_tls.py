# wss://: the one part of dialling that plain sockets do not show.

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
import trio
from client_bench import Tree
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from greenroom.bridges.client import WebsocketClient


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """
    Make a certificate for `localhost` that signs itself, and its key.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    made, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", made,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return made, key


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_is_checked(
    nursery: trio.Nursery, certificate: tuple[Path, Path], trusted: bool
) -> None:
    """
    Over wss:// a trusted server is talked to; another is refused, with the reason.
    """
    made, key = certificate
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(made, key)
    echoed = trio.Event()

    async def echo(request: WebSocketRequest) -> None:
        connection = await request.accept()
        try:
            while True:
                await connection.send_message(await connection.get_message())
        except ConnectionClosed:
            pass

    server = await nursery.start(serve_websocket, echo, "127.0.0.1", 0, serving)

    class Client(WebsocketClient):
        url = f"wss://localhost:{server.port}/"
        ssl_context = ssl.create_default_context(cafile=str(made) if trusted else None)

        async def connected(self) -> None:
            await self.send(text="hello")

        async def receive(self, text: str) -> None:
            assert text == "hello"
            echoed.set()

    tree = await Tree.start(nursery, Client)
    if trusted:
        with trio.fail_after(20):
            await echoed.wait()
    else:
        [crash, *_] = await tree.wait("slot.crashed")
        assert "CERTIFICATE_VERIFY_FAILED" in str(crash.facts["error"])
