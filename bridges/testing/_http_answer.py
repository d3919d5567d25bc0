# The whole answer to one request, as it gathers.

from collections.abc import Mapping
from typing import Any

from ._rules import HttpRules, settled


class HttpAnswer:
    """The answer to one request; ``complete`` is False when it was cut."""

    def __init__(self, method: str = "GET") -> None:
        self.status: int = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False
        self._rules = HttpRules(method)

    def take(self, event: Mapping[str, Any]) -> None:
        """
        Add what the application sent.

        Raises:
            ProtocolViolation: A server would refuse it.
        """
        event = settled(event)
        self._rules.take(event)
        if event["type"] == "http.response.start":
            self.status, self.headers = event["status"], list(event.get("headers", ()))
        else:
            if not self._rules.bodiless:
                self.body += event.get("body", b"")
            self.complete = not event.get("more_body", False)

    def so_far(self) -> str:
        """Say what has come of it, for the text of a test that fails."""
        if not self.status:
            return "The response was not begun."
        return f"The response was begun with {self.status}, and {len(self.body)} bytes have come."
