# Who the client is, by which scheme and name it came: what Django and a consumer believe of it
# behind the printed configurations, and whom they believe.

import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e._proxy import PRINTED, Proxy
from e2e.conftest import PROJECT, Served, serve_project
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

pytestmark = pytest.mark.slow

CLIENT = "127.0.0.7"  # the proxies come from 127.0.0.1
HOST = "chat.example"
LIES = [
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-For", "6.6.6.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=6.6.6.8;proto=https;host=evil.example"),
    ("X_Forwarded_For", "6.6.6.9"),
    ("X_Forwarded_Proto", "https"),
    ("X_Forwarded_Host", "evil.example"),
]
STRIPPED = ("Connection", "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host")

Headers = Sequence[tuple[str, str]]


@pytest.fixture(scope="module", params=["settings", "middleware"])
def server(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """
    The project with what deploy.md prints: the settings, or the middleware around it.
    """
    database = tmp_path_factory.mktemp("served") / "db.sqlite3"
    shutil.copy(migrated, database)
    application, env = "mysite.asgi:application", {"GREENROOM_TEST_DATABASE": str(database)}
    options: list[str] = []
    if request.param == "settings":
        printed = (PRINTED / "settings.py").read_text()
        env["GREENROOM_TEST_SETTINGS"] = f"{printed}\nUSE_X_FORWARDED_HOST = True"
    elif request.param == "middleware":
        application, env["PYTHONPATH"] = "behind_proxy:application", f"{PRINTED}"
    elif request.param == "modern":
        application = "mysite.modern:application"
    else:
        options = ["--root-path", "/below"]
    with serve_project(application, *options, folder=PROJECT, **env) as served:
        yield served


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which of them it is."""
    return request.node.callspec.params["server"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key in one file, for a moment."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    file, key = folder / "both.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    subprocess.run(
        [*command.split(), "-subj", f"/CN={HOST}", "-keyout", str(key), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + key.read_text())
    return file


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def tls_door(
    request: pytest.FixtureRequest,
    server: Served,
    certificate: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """A proxy that speaks TLS with its clients."""
    pair = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    changes = {
        "listen 80;": f"listen 80 ssl; {pair}",
        "bind :80": f"bind :80 ssl crt {certificate}",
    }
    proxy = Proxy(request.param, server, tmp_path_factory.mktemp("tls"), changes)
    try:
        yield proxy
    finally:
        proxy.stop()


def context() -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def told(
    door: Any, headers: Headers = (), *, tls: bool = False, below: str = ""
) -> tuple[int, Any]:
    """Ask for /seen/ from `CLIENT`; return the status and what Django believes."""
    connection = (
        http.client.HTTPSConnection("127.0.0.1", door.port, timeout=30, context=context())
        if tls
        else http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)
    )
    connection.source_address = (CLIENT, 0)
    with closing(connection):
        connection.putrequest("GET", f"{below}/seen/", skip_host=True)
        for name, value in [("Host", HOST), *headers]:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if response.status == 200 else body


def greeted(
    door: Any, headers: Headers = (), *, tls: bool = False, below: str = ""
) -> dict[str, Any]:
    """Open a WebSocket from `CLIENT`; return what the consumer's scope says."""
    protocol = ClientProtocol(parse_uri(f"{'wss' if tls else 'ws'}://{HOST}{below}/ws/seen/"))
    request = protocol.connect()
    request.headers.update(headers)
    protocol.send_request(request)
    with closing(socket.create_connection(("127.0.0.1", door.port), 30, (CLIENT, 0))) as plain:
        if not tls:
            return json.loads(first_message(plain, protocol))
        with context().wrap_socket(plain, server_hostname=HOST) as sock:
            return json.loads(first_message(sock, protocol))


def first_message(sock: socket.socket, protocol: ClientProtocol) -> bytes:
    """
    Send what *protocol* has to send; return the first message that comes.

    All in one thread. A client that reads in another one, as that of `websockets.sync`, loses what
    it sends while OpenSSL reads a session ticket of TLS 1.3: it goes into a buffer that OpenSSL
    throws away behind the ticket.
    """
    sock.sendall(b"".join(protocol.data_to_send()))
    while data := sock.recv(65536):
        protocol.receive_data(data)
        events = protocol.events_received()
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
        for event in events:
            if isinstance(event, Frame):
                assert event.opcode is Opcode.TEXT, event
                return bytes(event.data)
    raise AssertionError("the connection ended before a message came")


def test_what_django_is_told(door: Any, kind: str) -> None:
    """
    Django sees the proxy's address and the client's in a header; with the middleware the client's.
    """
    status, seen = told(door)
    straight = not isinstance(door, Proxy)

    assert status == 200
    assert seen == {
        "client": CLIENT if straight or kind == "middleware" else "127.0.0.1",
        "forwarded for": None if straight else CLIENT,
        "secure": False,
        "url": f"http://{HOST}/seen/",
    }


def test_what_a_consumer_is_told(door: Any, kind: str) -> None:
    """
    A consumer's scope has the proxy's address, or with the middleware the client's.
    """
    seen = greeted(door)
    straight = not isinstance(door, Proxy)

    assert seen["client"] == (CLIENT if straight or kind == "middleware" else "127.0.0.1")
    assert seen["host"] == HOST
    if straight:
        assert seen["forwarded"] == []
    else:
        assert seen["forwarded"] == [
            ["x-forwarded-for", CLIENT],
            ["x-forwarded-host", HOST],
            ["x-forwarded-proto", "http"],
        ]


@pytest.mark.parametrize("server", ["settings", "middleware", "modern"], indirect=True)
@pytest.mark.parametrize("door", ["nginx", "haproxy"], indirect=True)
def test_a_client_that_lies_is_not_believed(door: Proxy) -> None:
    """
    Whatever of these headers a client sends, Django and a consumer are told the same as without.
    """
    assert told(door, LIES) == told(door)
    assert told(door, [*LIES, STRIPPED]) == told(door)
    assert greeted(door, LIES) == greeted(door)


@pytest.mark.parametrize("door", ["straight"], indirect=True)
def test_without_a_proxy_a_client_that_lies_is_believed(door: Served, kind: str) -> None:
    """
    Limit: what is right behind a proxy lets anybody lie who reaches the server without it.
    """
    _, seen = told(door, LIES)
    scope = greeted(door, LIES)

    assert seen["secure"]
    assert seen["url"] == "https://evil.example/seen/"
    assert seen["client"] == scope["client"] == ("6.6.6.7" if kind == "middleware" else CLIENT)


def test_tls_ends_at_the_proxy(tls_door: Proxy, kind: str) -> None:
    """
    Django takes a request that came to the proxy by TLS for secure, also one that denies it.
    """
    status, seen = told(tls_door, tls=True)

    assert (status, seen["secure"], seen["url"]) == (200, True, f"https://{HOST}/seen/")
    assert told(tls_door, [("X-Forwarded-Proto", "http")], tls=True) == (status, seen)
    assert greeted(tls_door, tls=True)["scheme"] == ("https" if kind == "middleware" else "ws")


@pytest.mark.parametrize("server", ["below"], indirect=True)
def test_below_a_path(door: Any) -> None:
    """
    With --root-path what the proxy passes on whole is found, and addresses have the path in front.
    """
    status, seen = told(door, below="/below")

    assert (status, seen["url"]) == (200, f"http://{HOST}/below/seen/")
    assert greeted(door, below="/below")["host"] == HOST
