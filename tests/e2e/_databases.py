# A project on SQLite and on PostgreSQL, with each way to keep connections, its open connections
# counted from outside, and a crowd that makes it work.

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import trio
from e2e._postgres import Postgres
from e2e._server import WAIT_SECONDS
from trio_websocket import open_websocket_url

PROJECT = Path(__file__).resolve().parent / "project"
THREADS = {"VIEW_THREADS": 4, "CONSUMER_THREADS": 3, "ORM_THREADS": 2, "PARKED_THREADS": 1}
POOLS = ("views", "consumers", "orm")
BOUND = 4 + 3 + 2 + 3 * 1
"""How many connections may be open: one for each thread, and for one more in each pool."""

PATHS = ("/db/write/?text=r", "/db/count/?text=none", "/db/async/")


class Kept(NamedTuple):
    """A database, and how its connections are kept."""

    engine: str
    max_age: int | None = 0
    pool: bool = False

    def __str__(self) -> str:
        kept = "pool" if self.pool else f"age {self.max_age}"
        return f"{self.engine}, {kept}"


ALL = [
    *(Kept(engine, age) for engine in ("sqlite", "postgres") for age in (0, 60, None)),
    Kept("postgres", pool=True),
]


class Database:
    """One migrated database for a server; ``opened()`` counts connections to it."""

    def __init__(self, kept: Kept, settings: dict[str, Any], postgres: Postgres | None) -> None:
        self.kept, self.settings, self._postgres = kept, settings, postgres
        self.name = str(settings["NAME"])

    def env(self, **options: object) -> dict[str, str]:
        """Return the environment in which a server uses it."""
        return {
            "GREENROOM_TEST_DATABASES": json.dumps({"default": self.settings}),
            "GREENROOM_TEST_OPTIONS": json.dumps({**THREADS, **options}),
        }

    def opened(self, pid: int) -> int:
        """Count the open connections: in the server, or the files that process *pid* has open."""
        if self._postgres is not None:
            return self._postgres.sessions(self.name)
        if not Path(f"/proc/{pid}").exists():
            return 0
        count = 0
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                # beside it are a journal, a log, shared memory
                count += str(entry.readlink()) == self.name
            except FileNotFoundError:
                pass  # closed meanwhile
        return count


@contextmanager
def database(kept: Kept, postgres: Postgres | None, folder: Path) -> Iterator[Database]:
    """Make a migrated database for a block."""
    if kept.engine == "sqlite":
        settings: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "db.sqlite3"),
            "OPTIONS": {
                "timeout": 60,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
            },
        }
    else:
        assert postgres is not None
        settings = postgres.settings(postgres.create())
        if kept.pool:
            settings["OPTIONS"] = {"pool": {"min_size": 0, "max_size": BOUND, "timeout": 10}}
    settings["CONN_MAX_AGE"] = kept.max_age
    made = Database(kept, settings, postgres if kept.engine == "postgres" else None)
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=PROJECT,
            env={**os.environ, **made.env()},
            check=True,
            capture_output=True,
        )
        yield made
    finally:
        if made._postgres is not None:
            made._postgres.drop(made.name)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Make one request; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def state(port: int) -> dict[str, Any]:
    """Return what the process says of itself."""
    return json.loads(ask(port, "/db/state/")[1])


class Most:
    """Looks again and again, in a thread, how many connections are open; ``most`` is the most."""

    def __init__(self, look: Callable[[], int]) -> None:
        self.most = 0
        self.looks = 0
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Most":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.most = max(self.most, self._look())
            self.looks += 1
            self._over.wait(0.02)


class Crowd:
    """
    Requests and consumers, *at_once* of each, that all touch the database.

    Args:
        port: Of the server.
        at_once: How many there are at once, of each.
        paths: What is asked for, in turn.
    """

    def __init__(self, port: int, at_once: int, paths: tuple[str, ...] = PATHS) -> None:
        self.port, self.at_once, self.paths = port, at_once, paths
        self.requests = self.consumers = 0
        self.seconds = 0.0

    def come(self, requests: int, consumers: int) -> None:
        """Let so many come, each looking at what it gets."""
        began = time.monotonic()
        trio.run(self._come, requests, consumers)
        self.seconds = time.monotonic() - began

    async def _come(self, requests: int, consumers: int) -> None:
        asked, dialled = iter(range(requests)), iter(range(consumers))
        async with trio.open_nursery() as nursery:
            for _ in range(self.at_once):
                nursery.start_soon(self._ask, asked)
                nursery.start_soon(self._dial, dialled)

    async def _ask(self, numbers: Iterator[int]) -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            for number in numbers:
                path = self.paths[number % len(self.paths)]
                await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                status, body = await _answer(stream)
                assert status == 200, body
                self.requests += 1

    async def _dial(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            path, said, heard = (
                ("ws/", "write w", "wrote True"),
                ("ws/", "touch", "touched 0"),
                ("ws/async/", "asked", "counted 1"),
            )[number % 3]
            async with open_websocket_url(f"ws://127.0.0.1:{self.port}/{path}") as socket:
                await socket.send_message(said)
                assert await socket.get_message() == heard
            self.consumers += 1


async def _answer(stream: trio.SocketStream) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await _some(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += await _some(stream)
    return int(head.split(b" ")[1]), body


async def _some(stream: trio.SocketStream) -> bytes:
    with trio.fail_after(WAIT_SECONDS):
        data = await stream.receive_some()
    assert data, "the server closed the connection"
    return data
