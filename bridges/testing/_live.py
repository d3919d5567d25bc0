# The real server in the test's own process: hypercorn's trio worker in a thread, on a free port.
#
# In process, so that its handlers see the test's database, SQLite in memory and open transactions
# included, and so that a test can look into the tree, crash a consumer and wait for events, while
# any client talks to it over a real socket.

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, MutableMapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal, cast, overload

import trio
from trio.testing import MockClock

from ...supervisor import Root
from ..asgi._app import STATE
from ..hypercorn._in_process import serving
from ..hypercorn._serve import ServeError
from ._errors import StartupFailed
from ._journal import Journal
from ._portal import open_portal
from ._remote import Awaiting, Blocking
from ._running import BlockingServer, Crashes
from ._sharing import share_connections
from ._tree import TreeDriver

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


class LiveServer(TreeDriver):
    """
    A real server; made by :func:`live_server`.

    Args:
        host: Where it listens.
        port: Likewise.
        front: What it serves.
    """

    def __init__(self, host: str, port: int, front: "_Front") -> None:
        self.host, self.port = host, port
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.url = f"http://{self.address}"
        """For HTTP, without a slash at the end."""
        self.ws_url = f"ws://{self.address}"
        """For WebSockets, likewise."""
        self._front = front

    @property
    def root(self) -> Root:
        """
        The tree that the application made for its lifespan.

        Raises:
            LookupError: It is not Greenroom's, and has none.
        """
        if self._front.root is None:
            raise LookupError("the application has no tree of Greenroom's")
        return self._front.root


@overload
def live_server(
    application: Callable[..., Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    static: bool = True,
    crashes: Crashes = "raise",
    flavour: Literal["blocking"] = "blocking",
) -> AbstractContextManager["BlockingLiveServer"]: ...
@overload
def live_server(
    application: Callable[..., Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    static: bool = True,
    crashes: Crashes = "raise",
    flavour: Literal["async"],
) -> AbstractContextManager[LiveServer]: ...
def live_server(
    application: Callable[..., Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    static: bool = True,
    crashes: Crashes = "raise",
    flavour: Literal["blocking", "async"] = "blocking",
) -> AbstractContextManager[Any]:
    """
    Serve *application* with the real hypercorn trio worker, in a thread, while the block lasts.

    Yields a :class:`LiveServer` whose methods block, with ``url`` and ``ws_url`` for any client.
    Handlers see the data of the test's transaction, and its SQLite database in memory.

    Args:
        application: The project's ASGI_APPLICATION, where it is None.
        host: The address to listen at.
        port: The port, or 0 for any that is free.
        static: Serve static files, as ``runserver`` does, if the project has them.
        crashes: As for :func:`run_server`.
        flavour: With ``"async"`` the methods of what is yielded are coroutines, for a test on
            asyncio or trio.

    Raises:
        StartupFailed: The application did not start.
        NotStopped: It did not stop, or left something behind.
        OSError: The address can't be had.
    """
    return _live_server(application, host, port, static, crashes, flavour)


@contextmanager
def _live_server(
    application: Callable[..., Any] | None,
    host: str,
    port: int,
    static: bool,
    crashes: Crashes,
    flavour: Literal["blocking", "async"],
) -> Generator[Any, None, None]:
    if application is None:
        from ..django._testing import project_application

        application = project_application()
    if static and _is_djangos(application):
        from ..django._testing import with_static_files

        application = with_static_files(application)
    manager = partial(_open, application, host, port, strict=crashes == "raise")
    remote = Awaiting if flavour == "async" else Blocking
    clock: MockClock | None = None  # sockets are real, and so is their time
    with (
        _allowed(host),
        share_connections(in_memory=True),
        open_portal(manager, clock) as (portal, server),
    ):
        yield remote(portal, server)


@contextmanager
def _allowed(host: str) -> Generator[None, None, None]:
    """Have Django, if it is there, take requests to *host*."""
    if "greenroom.bridges.django" not in sys.modules:
        yield
        return
    from ..django._testing import allowing

    with allowing(host):
        yield


def _is_djangos(application: object) -> bool:
    django = sys.modules.get("greenroom.bridges.django")
    return django is not None and isinstance(application, django.Greenroom)


@asynccontextmanager
async def _open(
    application: Callable[..., Any], host: str, port: int, *, strict: bool
) -> AsyncGenerator[LiveServer, None]:
    front, ends = _Front(application), ExitStack()
    try:
        async with serving(cast("Any", front), host, port) as bound:
            await front.settled.wait()  # hypercorn listens before it minds what the start said
            if front.failed:
                await trio.sleep_forever()  # its error is on the way, and cancels this
            server = LiveServer(host, bound, front)
            server.journal = journal = Journal(front.root, strict=strict)
            ends.callback(journal.close)
            yield server
    except ServeError as error:
        raise StartupFailed(str(error)) from None
    finally:
        ends.close()
    if strict and front.root is not None:
        journal.refuse()
        server.refuse_what_is_left()


class _Front:
    """*application*, whose tree is noticed when it starts."""

    def __init__(self, application: Any) -> None:
        self.root: Root | None = None
        self.settled, self.failed = trio.Event(), False
        self._application = application
        self.greenroom_native = getattr(application, "greenroom_native", False)
        self.connection_limits = getattr(application, "connection_limits", None)
        self.serve_scope = getattr(application, "serve_scope", application)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope. A checkpoint."""
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return

        async def told(event: Any) -> None:
            if event["type"] == "lifespan.startup.complete":
                self.root = scope.get("state", {}).get(STATE)
                self.settled.set()
            self.failed = self.failed or event["type"] == "lifespan.startup.failed"
            await send(event)

        try:
            await self._application(scope, receive, told)
        finally:
            self.settled.set()  # it may know nothing of lifespan


class BlockingLiveServer(BlockingServer):
    """A :class:`LiveServer` whose methods block; made by :func:`live_server`."""

    host: str
    port: int
    address: str
    url: str
    ws_url: str
