# What `runserver` puts in front of the project's application: static files, and Django's line for
# each request.

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import urlparse

from django.contrib.staticfiles.handlers import StaticFilesHandlerMixin

from ...supervisor import Options
from ...supervisor._events import Event
from ..hypercorn._state import STATE
from ._handler import DjangoApplication

logger = logging.getLogger("django.server")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


class StaticFiles(StaticFilesHandlerMixin, DjangoApplication):
    """Django's static files, which stream. In threads of its own, that the tree does not list."""

    def __init__(self) -> None:
        self.base_url = urlparse(self.get_base_url())
        super().__init__()
        self.options = Options(view_threads=4)
        self.pools: list[Any] = []

    def load_middleware(self, is_async: bool = False) -> None:
        """Load none: a file needs no middleware."""

    def handles(self, path: str) -> bool:
        """Whether *path* is one of a static file."""
        return self._should_handle(path)


class Development:
    """*application* behind static files, if they are served, with a line for each request."""

    greenroom_native = True

    def __init__(self, application: Any, static: StaticFiles | None) -> None:
        self._application = application
        self._serve = getattr(application, "serve_scope", application)  # a coroutine less
        self._static = static
        self._urls: dict[str, object] = {}  # of the open WebSockets, by their place in the tree
        self.connection_limits = getattr(application, "connection_limits", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope. A checkpoint."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def serve_scope(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """
        Serve a request or a WebSocket: await what is returned.

        For our own connections: a WebSocket waits in no coroutine of this class.
        """
        serve = self._http if scope["type"] == "http" else self._serve
        return serve(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(event: Any) -> None:
            root = scope.get("state", {}).get(STATE)
            if event["type"] == "lifespan.startup.complete" and root is not None:
                root.events.subscribe(self._say_websocket)
            await send(event)

        if self._static is None:
            await self._application(scope, receive, told)
        else:
            async with self._static.lifespan(self._static):
                await self._application(scope, receive, told)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        static = self._static
        inner = static if static and static.handles(scope["path"]) else self._application
        status = size = 0

        async def counted(event: Any) -> None:
            nonlocal status, size
            if event["type"] == "http.response.start":
                status = event["status"]
            size += len(event.get("body", b""))
            await send(event)

        try:
            await inner(scope, receive, counted)
        except Exception:
            status = status or 500  # the server answers
            raise
        finally:
            query = scope["query_string"].decode("latin-1")
            path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
            target = f"{path}{'?' if query else ''}{query}"
            line = f"{scope['method']} {target} HTTP/{scope['http_version']}"
            # Without a status, the client left before there was one.
            _say('"%s" %s %s', status, line, status or "-", size)

    def _say_websocket(self, event: Event) -> None:
        facts, path = event.facts, event.path
        if event.kind == "connection.opened" and "method" not in facts:  # else a request, likewise
            self._urls[path] = facts["url"]
            _say("WebSocket CONNECT %s [%s]", 101, facts["url"], path)
        elif event.kind == "connection.closed" and path in self._urls:
            _say("WebSocket DISCONNECT %s %s [%s]", 101, self._urls.pop(path), facts["code"], path)
        elif event.kind in ("connection.refused", "connection.unknown") and "url" in facts:
            # Else it was a request, which has a line.
            _say("WebSocket REJECT %s [%s]", 400, facts["url"], facts["reason"])


def _say(text: str, status: int, *args: object) -> None:
    level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
    now = datetime.now().strftime("%d/%b/%Y %H:%M:%S")  # noqa: DTZ005 - as Django does
    logger.log(level, text, *args, extra={"status_code": status, "server_time": now})
