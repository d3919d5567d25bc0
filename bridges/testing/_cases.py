# Greenroom in Django's own test classes.
#
# The whole test runs inside share_connections(), opened in the thread that has the test's
# transaction: so a server that is started later, from wherever (an `async def` test of Django's
# runs on asyncio in another thread), has it at once.

import inspect
import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..django._testing import TransactionTestCase, project_application
from ._clock import virtual_clock
from ._live import BlockingLiveServer, live_server
from ._running import Crashes, Threads, serving_elsewhere
from ._sharing import share_connections

if TYPE_CHECKING:
    _Case = unittest.TestCase
else:
    _Case = object


class GreenroomTestCase(_Case):
    """
    A mix-in for Django's ``TestCase``, ``TransactionTestCase`` or ``SimpleTestCase``: a server.

    ``self.server`` is the driver of the project's application, started when a test asks for it and
    stopped at its end. In a plain method it is a :class:`BlockingServer`; in an ``async def`` one a
    :class:`ServerDriver`. What its handlers see and write is part of the test's transaction.
    Name the mix-in first: ``class ChatTests(GreenroomTestCase, TestCase)``.
    """

    application: ClassVar[Callable[..., Any] | None] = None
    """What to serve; None for the project's ASGI_APPLICATION. ``staticmethod`` a function."""
    crashes: ClassVar[Crashes] = "raise"
    """As for :func:`run_server`."""
    threads: ClassVar[Threads] = "pool"
    """As for :func:`serve`."""
    virtual_clock: ClassVar[bool] = False
    """Whether waits take no time."""

    _running: Any = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        order = cls.__mro__
        if unittest.TestCase in order[: order.index(GreenroomTestCase)]:
            raise TypeError(
                "GreenroomTestCase comes before Django's class, or it has no effect. Write"
                f" class {cls.__name__}(GreenroomTestCase, TestCase). Got:"
                f" class {cls.__name__}({', '.join(base.__name__ for base in cls.__bases__)})"
            )

    @property
    def server(self) -> Any:
        """The driver, running."""
        if self._running is None:
            manager = serving_elsewhere(
                self.application or project_application(),
                threads=self.threads,
                crashes=self.crashes,
                clock=virtual_clock() if self.virtual_clock else None,
                flavour="async" if _is_async(self) else "blocking",
            )
            self._running = manager.__enter__()
            self.addCleanup(self._stop_server, manager)
        return self._running

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, with its transaction lent to the server's threads."""
        with share_connections(in_memory=True):
            return super().run(result)

    def _stop_server(self, manager: Any) -> None:
        self._running = None
        manager.__exit__(None, None, None)


class GreenroomLiveServerTestCase(TransactionTestCase):
    """
    Django's ``LiveServerTestCase`` with the real hypercorn trio worker: WebSockets, and browsers.

    One server for all tests of the class, in a thread of this process, on a free port. SQLite in
    memory works, since the server's threads are lent the test's connection.
    """

    application: ClassVar[Callable[..., Any] | None] = None
    """What to serve; None for the project's ASGI_APPLICATION. ``staticmethod`` a function."""
    host: ClassVar[str] = "127.0.0.1"
    """Where to listen. It is added to ALLOWED_HOSTS."""
    port: ClassVar[int] = 0
    """The port; 0 for any that is free."""
    serve_static: ClassVar[bool] = True
    """Whether static files are served, as by ``runserver``."""
    crashes: ClassVar[Crashes] = "raise"
    """As for :func:`run_server`: crashes that no test asked for fail the class at its end."""

    live_server: ClassVar[BlockingLiveServer]
    """The server: its tree, its events, its crashes."""
    live_server_url: ClassVar[str]
    """For browsers and HTTP clients, without a slash at the end."""
    live_server_ws_url: ClassVar[str]
    """For WebSocket clients, likewise."""

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server."""
        super().setUpClass()
        function: Any = inspect.getattr_static(cls, "application")
        application = (
            function.__get__(None, cls) if isinstance(function, staticmethod) else function
        )
        cls.live_server = cls.enterClassContext(
            live_server(
                application,
                host=cls.host,
                port=cls.port,
                static=cls.serve_static,
                crashes=cls.crashes,
            )
        )
        cls.live_server_url = cls.live_server.url
        cls.live_server_ws_url = cls.live_server.ws_url

    def _post_teardown(self) -> None:
        try:
            cast("Any", super())._post_teardown()  # noqa: SLF001 - Django's, and in no stub
        finally:
            self.live_server.refuse_crashes()


def _is_async(case: unittest.TestCase) -> bool:
    # Django puts a plain function over the method of the instance.
    return inspect.iscoroutinefunction(getattr(type(case), case._testMethodName))  # noqa: SLF001
