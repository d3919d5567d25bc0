# A Django project inside the test process: settings made by hand, a SQLite file in a
# temporary folder. Configured when this file is imported, because the test modules beside
# it import models. The other tests never import Django; the end-to-end tests have a real
# project of their own, in other processes.

# pyright: reportUnusedImport=false

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from django.core import signals
from django.db import connections
from django.db.backends.signals import connection_created
from django_inside import configure

configure()

from django_connections import Opened  # noqa: E402 - it imports what is set up only now
from django_fixtures import (  # noqa: E402, F401 - the tests name them
    console,
    database,
    engine,
    key,
    own_sites,
    queries,
    rolled_back,
    user,
)


@dataclass
class Exchanged:
    """What one request got."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str:
        values = [v.decode() for n, v in self.headers if n.decode().lower() == name.lower()]
        assert len(values) == 1, values
        return values[0]

    def take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            assert not self.status, "started twice"
            self.status, self.headers = message["status"], message["headers"]
        else:
            assert self.status, "a body before the start"
            assert not self.ended, "more after the end"
            self.chunks.append(message.get("body", b""))
            self.ended = not message.get("more_body", False)


class Request:
    """
    One request made to an ASGI application in this process, as strict as a server.

    Args:
        gated: The client takes a message only when the test calls `take`.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        path: str,
        *,
        method: str = "GET",
        body: list[bytes] | None = None,
        headers: dict[str, str] | None = None,
        gated: bool = False,
        **scope: Any,
    ) -> None:
        self.app = app
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.partition("?")[0],
            "raw_path": path.partition("?")[0].encode(),
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": [(b"host", b"testserver")]
            + [(n.lower().encode(), v.encode()) for n, v in (headers or {}).items()],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
            **scope,
        }
        self.body = [b""] if body is None else body
        self.got = Exchanged()
        self.gone = trio.Event()
        size = 0 if gated else 1000
        self._to_client, self._at_client = trio.open_memory_channel[Any](size)
        self._gated = gated

    async def receive(self) -> Any:
        await trio.lowlevel.checkpoint()
        if self.body:
            chunk = self.body.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self.body)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.gone.is_set():
            await trio.lowlevel.checkpoint()
            return  # as hypercorn does: silently
        await self._to_client.send(message)
        if not self._gated:
            await self.take()

    async def take(self) -> None:
        """Take one message, as a client that reads."""
        self.got.take(await self._at_client.receive())

    async def run(self) -> Exchanged:
        """Run the request to its end."""
        await self.app(self.scope, self.receive, self.send)
        return self.got


@pytest.fixture
def request_to() -> type[Request]:
    """
    The class that makes requests in this process.
    """
    return Request


@pytest.fixture
def running() -> Callable[..., Any]:
    """
    Runs an application's lifespan around a block, as a root would.
    """
    from greenroom.bridges.django._settings import load_options

    class Root:
        def __init__(self, options: Any) -> None:
            self.options = options
            self.pools: list[Any] = []

    @asynccontextmanager
    async def run(app: Any, **options: Any) -> AsyncGenerator[Any, None]:
        async with app.lifespan(Root(load_options(**options))):
            yield app

    return run


@pytest.fixture
def signalled() -> Iterator[list[str]]:
    """
    The names of the request signals, in the order they were sent.
    """
    sent: list[str] = []

    def started(**_: Any) -> None:
        sent.append("started")

    def finished(**_: Any) -> None:
        sent.append("finished")

    signals.request_started.connect(started)
    signals.request_finished.connect(finished)
    yield sent
    signals.request_started.disconnect(started)
    signals.request_finished.disconnect(finished)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """
    The connections opened during the test.
    """
    noted = Opened()
    connection_created.connect(noted.note)
    yield noted
    connection_created.disconnect(noted.note)
    assert noted.now == 0, "a connection was left open"


@pytest.fixture
def max_age() -> Iterator[Callable[[int | None], None]]:
    """
    Sets CONN_MAX_AGE of the test's database, and puts it back.
    """

    def set_to(value: int | None) -> None:
        connections.settings["default"]["CONN_MAX_AGE"] = value

    yield set_to
    set_to(0)
