# Which pages may open a WebSocket, as Channels has it. Greenroom's own check, which is on without
# a word, is stricter (bridges/asgi/_origins.py).

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import ParseResult, urlparse

from django.conf import settings
from django.http import request as django_request

from ..generic.websocket import AsyncWebsocketConsumer

is_same_domain: Callable[[str, str], bool] = getattr(django_request, "is_same_domain")  # noqa: B009 - stubs lack it

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_FOR_DEVELOPMENT = ["localhost", "127.0.0.1", "[::1]"]


class OriginValidator:
    """
    Let a WebSocket through to *application* if its ``Origin`` is one of *allowed_origins*.

    A pattern is ``*``, a host, a domain with its subdomains (``.example.com``), or either of
    these behind a scheme; then the port counts as well.
    """

    _checks_origin = True  # so Greenroom's own check leaves it to this one

    def __init__(self, application: Any, allowed_origins: Sequence[str]) -> None:
        self.application = application
        self.allowed_origins = allowed_origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """
        Call the application, or refuse the WebSocket. A checkpoint.

        Raises:
            ValueError: It is no WebSocket.
        """
        if scope["type"] != "websocket":
            raise ValueError("You cannot use OriginValidator on a non-WebSocket connection")
        sent = [value for name, value in scope.get("headers", ()) if name == b"origin"]
        origin = _parsed(sent[-1].decode("latin1")) if sent else None
        app = self.application if self.valid_origin(origin) else _refuse
        return await app(scope, receive, send)

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Say whether *parsed_origin* may connect; None, no origin, only where ``*`` is allowed."""
        if parsed_origin is None and "*" not in self.allowed_origins:
            return False
        return self.validate_origin(parsed_origin)

    def validate_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Say whether *parsed_origin* matches one of the patterns."""
        return any(
            pattern == "*" or self.match_allowed_origin(parsed_origin, pattern)
            for pattern in self.allowed_origins
        )

    def match_allowed_origin(self, parsed_origin: ParseResult | None, pattern: str) -> bool:
        """Say whether *parsed_origin* matches *pattern*."""
        host = None if parsed_origin is None else parsed_origin.hostname
        if parsed_origin is None or host is None:
            return False
        allowed = urlparse(pattern.lower())
        if not allowed.scheme:
            return is_same_domain(host, urlparse(f"//{pattern}").hostname or pattern)
        return (
            allowed.scheme == parsed_origin.scheme
            and self.get_origin_port(allowed) == self.get_origin_port(parsed_origin)
            and is_same_domain(host, allowed.hostname or "")
        )

    def get_origin_port(self, origin: ParseResult) -> int | None:
        """Return the port of *origin*, else that of its scheme; None if it has none."""
        return _PORTS.get(origin.scheme) if origin.port is None else origin.port


def _parsed(origin: str) -> ParseResult | None:
    try:
        parsed = urlparse(origin)
        _ = parsed.hostname, parsed.port  # these raise as well
    except ValueError:
        return None
    return parsed


def AllowedHostsOriginValidator(application: Any) -> OriginValidator:  # noqa: N802 - Channels' name
    """Return an OriginValidator around *application* for the hosts of ALLOWED_HOSTS."""
    hosts: list[str] = settings.ALLOWED_HOSTS
    if settings.DEBUG and not hosts:
        hosts = _FOR_DEVELOPMENT
    return OriginValidator(application, hosts)


class WebsocketDenier(AsyncWebsocketConsumer):
    """A consumer that refuses every WebSocket, with 403; a subclass may do it otherwise."""

    async def connect(self) -> None:
        """Refuse it."""
        await self.close()


async def _refuse(_scope: Any, receive: Any, send: Any) -> None:
    """Refuse a WebSocket, and wait until the server knows: without a channel, for that moment."""
    while True:
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.close"})
        elif event["type"] == "websocket.disconnect":
            return
