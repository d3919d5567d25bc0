# The same Django project under two servers, asked the same bytes: Greenroom under hypercorn's trio
# worker, Django's own ASGIHandler under hypercorn's asyncio worker.
#
# What may differ is masked here and nowhere else: random tokens, the moment, framing (how a body's
# end is told is the server's choice), and the length that gzip's random file name changes.

import difflib
import gzip
import http.client
import io
import json
import os
import pprint
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.conftest import Served, hypercorn

FOLDER = Path(__file__).resolve().parent / "parity"
HOST = "parity.example"
SERVERS_OWN = {"date", "server", "connection", "transfer-encoding", "age"}
MOMENT = re.compile(r"\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT")
RANDOM_COOKIE = re.compile(r"(csrftoken|sessionid)=[^;\s]{20,}")
SIGNED_AT = re.compile(r"(messages=[^;:\s]+):[^;\s]{20,}")
TOKEN = re.compile(rb'(name="csrfmiddlewaretoken" value=")\w+')


@dataclass
class Answer:
    """A response, without what may differ."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool
    informational: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The values of one header."""
        found = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(found) if found else None


class Client:
    """
    Somebody who asks one server; has cookies, as a browser has.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        self.token = ""

    def ask(
        self,
        target: str,
        method: str = "GET",
        body: bytes | str = b"",
        headers: dict[str, str] | None = None,
        host: str = HOST,
    ) -> Answer:
        """Send a request as a browser would; keep the cookies of its answer."""
        content = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        if content or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(content)}")
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{n}={v}" for n, v in self.cookies.items()))
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return self.raw("\r\n".join(lines).encode("latin-1"), content, method=method)

    def post(self, target: str, form: dict[str, str], **headers: str) -> Answer:
        """Send a form, with the token of the last form that was seen."""
        data = {"csrfmiddlewaretoken": self.token, **form} if self.token else form
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(target, "POST", urllib.parse.urlencode(data), {**kind, **headers})

    def raw(self, head: bytes, body: bytes = b"", method: str = "") -> Answer:
        """Send exactly these bytes, and ``Connection: close``, and read the answer to its end."""
        method = method or head.split(b" ", 1)[0].decode()
        with self.connected() as raw:
            raw.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            return self.read(raw, method)

    def settled(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, and wait until the server is done with it: a client has its answer before that."""
        answer = ask()
        for _ in range(1000):
            if self._pending() <= 1:
                return answer
        raise AssertionError("some request is never finished")

    def cleared(self) -> None:
        """
        Have the server forget what was signalled and closed.

        What was asked before may be finished yet, and would be taken for what comes next. How much
        that is nobody can say: Django's handler never finishes a stream that has raised.
        """
        pending: list[int | None] = [None] * 5
        for _ in range(1000):
            pending = [*pending[1:], self._pending()]
            if None not in pending and len(set(pending)) == 1:
                break
        for _ in range(1000):
            self.settled(lambda: self.ask("/signals/?clear"))
            if self._pending() > 0:
                return  # else more were finished behind it than were asked
        raise AssertionError("requests are finished all the time")

    def _pending(self) -> int:
        found: int = json.loads(self.ask("/pending/").body)
        return found

    def connected(self) -> socket.socket:
        """Connect; the caller closes."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=30)

    def until(self, raw: socket.socket, end: bytes) -> bytes:
        """Read until *end* has come, or the connection's end."""
        data = b""
        while end not in data and (more := _receive(raw)):
            data += more
        return data

    def read_raw(self, raw: socket.socket) -> bytes:
        """Read all until the connection ends."""
        return b"".join(iter(lambda: _receive(raw), b""))

    def read(self, raw: socket.socket, method: str, first: bytes = b"") -> Answer:
        """Read one answer to its end, of which *first* has come already."""
        return self._keep(parse(first + self.read_raw(raw), method))

    def _keep(self, answer: Answer) -> Answer:
        for at, (name, value) in enumerate(answer.headers):
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                content = rest.partition(";")[0]
                if content and content != '""':
                    self.cookies[key] = content
                else:
                    self.cookies.pop(key, None)
            masked = RANDOM_COOKIE.sub(r"\1=random", value)
            masked = SIGNED_AT.sub(r"\1:moment:signature", masked)
            answer.headers[at] = (name, MOMENT.sub("moment", masked))
        if found := re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', answer.body):
            self.token = found[1].decode()
            answer.headers = [each for each in answer.headers if each[0] != "ETag"]
        answer.body = TOKEN.sub(rb"\1random", answer.body)
        for secret in ("csrftoken", "sessionid"):
            if secret in self.cookies:
                answer.body = answer.body.replace(self.cookies[secret].encode(), b"random")
        return answer


def _receive(raw: socket.socket) -> bytes:
    try:
        return raw.recv(65536)
    except ConnectionResetError:
        return b""


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def makefile(self, mode: str) -> io.BytesIO:
        return self._file


def parse(data: bytes, method: str) -> Answer:
    """Read one response from *data*; 1xx before it are noted."""
    informational: list[int] = []
    while data[:10].startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        informational.append(int(head[9:12]))
    if not data:
        return Answer(0, [], b"", whole=False, informational=informational)
    response = http.client.HTTPResponse(_Bytes(data), method=method)  # type: ignore[arg-type]
    response.begin()
    try:
        body, whole = response.read(), True
    except http.client.IncompleteRead as error:
        body, whole = error.partial, False
    headers = [(name, value) for name, value in response.getheaders()]
    headers = [each for each in headers if each[0].lower() not in SERVERS_OWN]
    # Django writes Content-Length; where it says none, Greenroom's server may.
    headers = [each for each in headers if each[0] != "content-length"]
    if response.getheader("content-encoding") == "gzip" and body:
        body = gzip.decompress(body) if whole else b""
        headers = [each for each in headers if each[0].lower() != "content-length"]
    return Answer(response.status, headers, body, whole, informational)


def difference(ours: Any, theirs: Any) -> str:
    """Say line by line where Greenroom's answers (+) are not Django's (-)."""
    left, right = (pprint.pformat(each, width=120).splitlines() for each in (theirs, ours))
    return "\n".join(difflib.unified_diff(left, right, "Django", "Greenroom", lineterm="", n=1))


@dataclass
class Pair:
    """Both servers; what is asked of them is asked of each."""

    ours: Any
    theirs: Any

    def both(self, story: Callable[[Client], Any]) -> Any:
        """
        Tell *story* to a new client of each server; what comes of it must be the same.
        """
        theirs, ours = story(Client(self.theirs)), story(Client(self.ours))
        assert ours == theirs, difference(ours, theirs)
        return ours

    def ask(self, *args: Any, **kwargs: Any) -> Answer:
        """Ask both the same once."""
        return self.both(lambda client: client.ask(*args, **kwargs))


def prepare(folder: Path) -> None:
    """Make the project's data in *folder*."""
    subprocess.run(
        [sys.executable, "-m", "paritysite.prepare"],
        cwd=FOLDER,
        env={**os.environ, "PARITY_FOLDER": str(folder)},
        check=True,
        capture_output=True,
    )


@contextmanager
def served_pair(prepared: Path, folder: Path, *options: str, settings: str = "") -> Iterator[Pair]:
    """Serve the project twice, each with data of its own."""
    with ExitStack() as stack:
        servers: list[Served] = []
        for name, worker in (("ours", "trio"), ("theirs", "asyncio")):
            data = folder / name
            shutil.copytree(prepared, data)
            command = hypercorn(f"paritysite.asgi_{name}:application", *options, worker=worker)
            environment = {"PARITY_FOLDER": str(data), "PARITY_SETTINGS": settings}
            servers.append(Served(command, FOLDER, environment))
            stack.callback(servers[-1].kill)
        for server in servers:
            server.wait_ready()
        yield Pair(*servers)
