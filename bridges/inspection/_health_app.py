# /health/live and /health/ready as an ASGI application: on the loop, without a thread, without
# Django. Where all threads for views wait for a database that is away, this still answers.

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ...supervisor import current_root
from ._health import readiness

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NOT_FOUND, NOT_ALLOWED = 404, 405


class HealthApp:
    """
    Answers whether this process lives, or takes requests: 200 if so, else 503.

    Mount it where you like, ``re_path(r"^health/", HealthApp())``; the last part of the path says
    what is asked, ``live`` or ``ready``. Anybody may ask, and nobody is told why not: the log, the
    console, and Django's views for those with a token say that.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A checkpoint."""
        if scope["type"] != "http":
            raise ValueError(f"HealthApp answers requests. Got: a scope of type {scope['type']!r}")
        status, document = self._answer(scope["method"], str(scope["path"]))
        body = json.dumps(document).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if status == NOT_ALLOWED:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )

    def _answer(self, method: str, path: str) -> tuple[int, dict[str, str]]:
        if method not in ("GET", "HEAD"):
            return NOT_ALLOWED, {"status": "not allowed"}
        asked = path.rstrip("/").rpartition("/")[2]
        if asked == "live":
            return 200, {"status": "ok"}  # it is here, so the loop turns
        if asked != "ready":
            return NOT_FOUND, {"status": "not found"}
        try:
            ready = not readiness(current_root())
        except LookupError:
            ready = False
        return (200, {"status": "ok"}) if ready else (503, {"status": "not ready"})
