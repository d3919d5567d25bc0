# HTTP/3 as a client has it: aioquic's own client on asyncio, which `speak` runs in a thread where a
# test is on trio, and a certificate that nobody checks. Nothing here sleeps.

import asyncio
import datetime
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from e2e._server import APPS, START_SECONDS, WAIT_SECONDS, Server

Headers = Sequence[tuple[bytes, bytes]]


class Answer:
    """What has come of the answer to one request."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.end = ""
        """How it ended: ``whole``, ``reset`` or ``closed`` with its connection."""
        self._over = asyncio.Event()

    def ended(self, how: str) -> None:
        """Take note of the end, if it is the first."""
        self.end = self.end or how
        self._over.set()

    async def whole(self) -> "Answer":
        """Wait for its end, of whatever kind."""
        await asyncio.wait_for(self._over.wait(), WAIT_SECONDS)
        return self

    @property
    def status(self) -> int:
        """Its status; 0 before it has begun."""
        return int(self.headers.get(b":status", 0))


class Http3(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.quic = self._quic
        self.h3 = H3Connection(self._quic)
        self.answers: dict[int, Answer] = {}
        self.closed_with: int | None = None
        """The error code with which the server has closed it."""

    def quic_event_received(self, event: QuicEvent) -> None:
        """Sort into the answers what has come."""
        if isinstance(event, ConnectionTerminated):
            self.closed_with = event.error_code
            for answer in self.answers.values():
                answer.ended("closed")
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].ended("reset")
        for each in self.h3.handle_event(event):
            answer = self.answers.get(getattr(each, "stream_id", -1))
            if answer is None:
                continue
            if isinstance(each, HeadersReceived):
                answer.headers.update(each.headers)
            elif isinstance(each, DataReceived):
                answer.body += each.data
            if getattr(each, "stream_ended", False):
                answer.ended("whole")

    def ask(
        self, path: bytes, method: bytes = b"GET", headers: Headers = (), *, more: bool = False
    ) -> int:
        """Send a request, behind which *more* comes; return the number of its stream."""
        number = self.quic.get_next_available_stream_id()
        self.answers[number] = Answer()
        pseudo = [(b":method", method), (b":scheme", b"https"), (b":path", path)]
        pseudo.append((b":authority", b"localhost"))
        self.h3.send_headers(number, [*pseudo, *headers], end_stream=not more)
        self.transmit()
        return number

    def send(self, number: int, data: bytes, *, more: bool = False) -> None:
        """Send a piece of a request's body."""
        self.h3.send_data(number, data, end_stream=not more)
        self.transmit()

    async def get(self, path: bytes, method: bytes = b"GET", headers: Headers = ()) -> Answer:
        """Ask, and wait for the end of the answer."""
        return await self.answers[self.ask(path, method, headers)].whole()

    def vanish(self) -> None:
        """Be gone: the server is told nothing, also not of the end, and hears nothing more."""
        transport: Any = self._transport
        transport.sendto = lambda *_: None

    async def until_closed(self) -> int | None:
        """Wait until the server has closed the connection; return its error code."""
        await asyncio.wait_for(self.wait_closed(), WAIT_SECONDS)
        return self.closed_with


@asynccontextmanager
async def http3(port: int, idle_seconds: float = 60.0) -> AsyncGenerator[Http3]:
    """Open a connection; the server gives it up if nothing comes for *idle_seconds*."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=H3_ALPN,
        verify_mode=ssl.CERT_NONE,
        idle_timeout=idle_seconds,
    )
    async with connect(
        "127.0.0.1", port, configuration=configuration, create_protocol=Http3
    ) as client:
        assert isinstance(client, Http3)
        yield client


async def speak(what: Callable[[], Awaitable[Any]]) -> Any:
    """Run *what*, for asyncio, in a thread beside a test on trio; return what it returns."""

    async def bounded() -> Any:
        return await asyncio.wait_for(what(), 2 * WAIT_SECONDS)

    return await trio.to_thread.run_sync(lambda: asyncio.run(bounded()))


def certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for nobody in particular; return its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    signed = made.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    return str(folder / "certificate.pem"), str(folder / "key.pem")


class QuicServer(Server):
    """hypercorn with HTTP/3 at ``quic_port`` and plain HTTP at ``port``."""

    def __init__(self, target: str, folder: Path, env: dict[str, str], *, cwd: Path = APPS) -> None:
        file, key = certificate(folder)
        here = "127.0.0.1:0"
        binds = ("--insecure-bind", here, "--quic-bind", here)
        super().__init__(target, *binds, "--certfile", file, "--keyfile", key, env=env, cwd=cwd)
        self.quic_port = 0

    def __enter__(self) -> "QuicServer":
        super().__enter__()
        running = self.wait_for_line(r"https://\S+:(\d+) \(QUIC\)", seconds=START_SECONDS)
        self.quic_port = int(running[1])
        return self
