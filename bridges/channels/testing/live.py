"""A real server for a class of tests, for browsers and WebSocket clients."""

from __future__ import annotations

from typing import Any, ClassVar

from django.test import TransactionTestCase

from ...testing import BlockingLiveServer, live_server

__all__ = ["ChannelsLiveServerTestCase"]


class ChannelsLiveServerTestCase(TransactionTestCase):
    """
    Serves the project's ASGI_APPLICATION with hypercorn's trio worker, for all tests of the class.

    On a free port, in a thread of the test's process: so any database will do, SQLite in memory
    included, and the server sees the test's data.
    """

    host: ClassVar[str] = "localhost"
    """Where it listens. It is added to ALLOWED_HOSTS."""
    serve_static: ClassVar[bool] = True
    """Whether static files are served, as by ``runserver``."""

    live_server: ClassVar[BlockingLiveServer]
    """The server: its tree, its events, its crashes."""

    @property
    def live_server_url(self) -> str:
        """For browsers and HTTP clients, without a slash at the end."""
        return f"http://{self.host}:{self.live_server.port}"

    @property
    def live_server_ws_url(self) -> str:
        """For WebSocket clients, likewise."""
        return f"ws://{self.host}:{self.live_server.port}"

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server."""
        super().setUpClass()
        # Channels' server tells nobody of a crash: a test finds it by what the client sees.
        cls.live_server = cls.enterClassContext(
            live_server(host=cls.host, static=cls.serve_static, crashes="allow")
        )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "ProtocolServerProcess" in vars(cls):
            raise TypeError(
                f"{cls.__qualname__}.ProtocolServerProcess has no meaning here: the server runs in"
                " the test's own process. Leave it out."
            )
