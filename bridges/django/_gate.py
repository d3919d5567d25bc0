# Who may connect, and whose connection it is: fills the port of bridges/asgi/_gate.py.
#
# ORIGINS says which pages may open a WebSocket, an event stream or a long-poll session. Left
# alone it is ALLOWED_HOSTS, by Django's own rules, asked at each connection, so that
# override_settings holds. `*` in there says that the Host header does not matter; that
# strangers' pages may use our users' cookies it does not say. So then the page must be
# of the host that it asks.

import functools
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from ...supervisor import Options, Root
from ..asgi._gate import Scope
from ..asgi._origins import (
    EVERY,
    NULL,
    Origin,
    Pattern,
    is_same_host,
    may_connect,
    origin_of,
    pattern_of,
)
from ._book import book_of
from ._identity import Identity

FOR_DEVELOPMENT = (".localhost", "127.0.0.1", "[::1]")
"""What Django lets in with DEBUG, if ALLOWED_HOSTS is empty."""


class DjangoGate:
    """
    The gate of one Greenroom().

    Args:
        options: Those of the tree.

    Raises:
        TypeError, ValueError: An entry of ``origins`` can't be read.
    """

    def __init__(self, options: Options) -> None:
        self._required = options.origin_required
        self._patterns: tuple[Pattern, ...] | None = None
        if options.origins is not None:
            listed = [options.origins] if isinstance(options.origins, str) else options.origins
            self._patterns = tuple(pattern_of(each) for each in listed)

    def refusal(self, scope: Scope) -> str | None:
        """Why the page that opens the connection may not, for the log; None if it may."""
        sent = [value for name, value in scope["headers"] if name == b"origin"]
        if not sent:
            return "it has no Origin header, see ORIGIN_REQUIRED" if self._required else None
        header = sent[-1].decode("latin-1")
        origin = origin_of(header) if len(sent) == 1 else None
        if origin is not None and self._lets_in(origin, scope):
            return None
        where = "ALLOWED_HOSTS" if self._patterns is None else "ORIGINS"
        return f"its Origin {header[:200]!r} is none of {where}; see ORIGINS in GREENROOM"

    def _lets_in(self, origin: Origin, scope: Scope) -> bool:
        if self._patterns is not None:
            return may_connect(origin, self._patterns)
        hosts: Iterable[str] = settings.ALLOWED_HOSTS or (FOR_DEVELOPMENT if settings.DEBUG else ())
        allowed = _of_hosts(tuple(hosts))
        if EVERY in allowed and origin != NULL and is_same_host(origin, _host_of(scope)):
            return True
        return any(each is not EVERY and each.matches(origin) for each in allowed)

    def identify(self, root: Root, scope: Scope) -> None:
        """Put cookies, session and user into *scope*, where nobody has; nothing is read yet."""
        Identity.put_into(scope, book_of(root))


@functools.lru_cache(maxsize=8)
def _of_hosts(hosts: tuple[str, ...]) -> tuple[Pattern, ...]:
    patterns: list[Pattern] = []
    for host in hosts:
        try:
            pattern = pattern_of(host)
        except (TypeError, ValueError):
            continue  # Django matches nothing with it either
        if pattern.scheme is None:  # a Host header has none
            patterns.append(pattern)
    return tuple(patterns)


def _host_of(scope: Scope) -> str:
    wanted = [b"x-forwarded-host", b"host"] if settings.USE_X_FORWARDED_HOST else [b"host"]
    headers: dict[bytes, Any] = dict(scope["headers"])
    found = next((headers[name] for name in wanted if name in headers), b"")
    return found.decode("latin-1")
