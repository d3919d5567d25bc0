# The driver for tests that do not run on trio: the application runs on trio in a thread of its own.

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from trio.testing import MockClock

from ...actors._lowlevel import inside_trio
from ...supervisor import DeadLetter, Event, NodeSnapshot
from ._driver import ServerDriver, serve
from ._http_answer import HttpAnswer
from ._portal import open_portal
from ._remote import Awaiting, Blocking
from ._scopes import Headers
from ._sharing import borrowed_connections, share_connections

Threads = Literal["pool", "inline"]
Crashes = Literal["allow", "raise"]


@contextmanager
def run_server(
    application: Callable[..., Any],
    *,
    timeout: float = 10.0,
    threads: Threads = "pool",
    crashes: Crashes = "raise",
    clock: MockClock | None = None,
) -> Generator["BlockingServer", None, None]:
    """
    Run *application* on trio in a thread of its own; yield a driver whose methods block.

    For tests that are plain functions, and methods of Django's ``TestCase``. It is what
    :func:`serve` gives, without ``await``. Handlers see the data of the test's transaction.

    Args:
        application: Any ASGI application that answers lifespan.
        timeout: Seconds that its shutdown may take; then it is cancelled.
        threads: As for :func:`serve`.
        crashes: As for :func:`serve`, but a crash that the test did not ask for is its error.
        clock: A :func:`virtual_clock`, on which waits take no time.

    Raises:
        StartupFailed: The application answered ``lifespan.startup.failed``.
        NotStopped: It did not stop, or left something behind.
    """
    with (
        share_connections(in_memory=True),
        serving_elsewhere(
            application,
            timeout=timeout,
            threads=threads,
            crashes=crashes,
            clock=clock,
            flavour="blocking",
        ) as server,
    ):
        yield server


@asynccontextmanager
async def open_server(
    application: Callable[..., Any],
    *,
    timeout: float = 10.0,
    threads: Threads = "pool",
    crashes: Crashes = "raise",
    clock: MockClock | None = None,
) -> AsyncGenerator[ServerDriver]:
    """
    Run *application* for a coroutine, on asyncio or trio; yield a driver as :func:`serve` does.

    On trio it is :func:`serve`. On asyncio the application runs on trio in a thread of its own, and
    the driver's methods are awaited as on trio. Async ORM work of the test sees the same data as
    the handlers. Arguments and errors are those of :func:`run_server`.

    Raises:
        TypeError: A *clock* on trio, where it is ``trio.run`` that takes one.
    """
    if inside_trio():
        if clock is not None:
            raise TypeError("on trio the test itself runs on the clock: give it to trio.run()")
        async with serve(application, timeout=timeout, threads=threads, crashes=crashes) as driver:
            yield driver
        return
    async with borrowed_connections():
        with serving_elsewhere(
            application,
            timeout=timeout,
            threads=threads,
            crashes=crashes,
            clock=clock,
            flavour="async",
        ) as server:
            yield server


@contextmanager
def serving_elsewhere(
    application: Callable[..., Any],
    *,
    timeout: float = 10.0,
    threads: Threads,
    crashes: Crashes,
    clock: MockClock | None,
    flavour: Literal["blocking", "async"],
) -> Generator[Any, None, None]:
    """Run *application* on trio in a thread; yield its driver in the *flavour* of the caller."""
    manager = partial(serve, application, timeout=timeout, threads=threads, crashes=crashes)
    with open_portal(manager, clock) as (portal, driver):
        yield Awaiting(portal, driver) if flavour == "async" else Blocking(portal, driver)


if TYPE_CHECKING:

    class BlockingServer(Blocking):
        """A :class:`ServerDriver` whose methods block; made by :func:`run_server`."""

        root: Any

        def websocket(
            self,
            path: str,
            *,
            headers: Headers = (),
            subprotocols: Iterable[str] = (),
            timeout: float = 5.0,
        ) -> AbstractContextManager["BlockingWebsocket"]: ...
        def long_poll(
            self,
            path: str,
            *,
            headers: Headers = (),
            polling: bool = True,
            timeout: float = 5.0,
        ) -> AbstractContextManager["BlockingWebsocket"]: ...
        def dial(
            self, path: str, *, headers: Headers = (), subprotocols: Iterable[str] = ()
        ) -> "BlockingWebsocket": ...
        def http(
            self,
            method: str,
            path: str,
            *,
            headers: Headers = (),
            body: bytes = b"",
            timeout: float = 60.0,
        ) -> HttpAnswer: ...
        def sockets(self, route: str = "") -> list[NodeSnapshot]: ...
        def crash(self, path: str, error: BaseException | None = None) -> None: ...
        def wait_restarted(
            self, path: str, epoch: int = 2, timeout: float = 30.0
        ) -> NodeSnapshot: ...
        def wait_crash(
            self,
            *kinds: type[BaseException],
            match: str = "",
            path: str = "",
            timeout: float = 5.0,
        ) -> BaseException: ...
        def allow_crashes(self, *kinds: type[BaseException]) -> None: ...
        def refuse_crashes(self) -> None: ...
        def wait_event(
            self,
            kind: str,
            *,
            path: str = "",
            count: int = 1,
            timeout: float = 5.0,
            **facts: object,
        ) -> Event: ...
        def events(
            self, kind: str | None = None, *, path: str = "", **facts: object
        ) -> list[Event]: ...
        def assert_event(self, kind: str, *, path: str = "", **facts: object) -> Event: ...
        def assert_no_event(self, kind: str, *, path: str = "", **facts: object) -> None: ...
        def wait_dead_letter(
            self, message_type: str = "", *, path: str = "", timeout: float = 5.0
        ) -> DeadLetter: ...
        def assert_no_dead_letters(self) -> None: ...
        def wait_closed(self, timeout: float = 5.0) -> None: ...
        def sleep(self, seconds: float) -> None: ...

    class BlockingWebsocket(Blocking):
        """A :class:`WebsocketDriver` whose methods block."""

        subprotocol: str | None
        response_headers: list[tuple[bytes, bytes]]
        slot: NodeSnapshot

        def handshake(self, timeout: float = 5.0) -> None: ...
        def send_text(self, text: str) -> None: ...
        def send_bytes(self, data: bytes) -> None: ...
        def disconnect(self, code: int = 1000, reason: str = "") -> None: ...
        def receive(self, timeout: float = 5.0) -> str | bytes: ...
        def receive_text(self, timeout: float = 5.0) -> str: ...
        def receive_nothing(self, seconds: float = 0.1) -> None: ...
        def closed(self, timeout: float = 5.0) -> Any: ...
        def pause_reading(self) -> None: ...
        def resume_reading(self) -> None: ...
        def crash(self, error: BaseException | None = None) -> None: ...
        def wait_restarted(self, epoch: int = 0, timeout: float = 30.0) -> NodeSnapshot: ...
        def wait_crash(
            self, *kinds: type[BaseException], match: str = "", timeout: float = 5.0
        ) -> BaseException: ...

else:
    BlockingServer = BlockingWebsocket = Blocking
