# What can happen to a connection that we opened.

from __future__ import annotations

from ...actors import GreenroomError


class ConnectionLost(GreenroomError, ConnectionError):
    """
    There is no connection to *url* (any more): not made, refused, closed, or broken.

    The crash by which a client's slot is restarted, so that it dials again after the
    slot's backoff. It is expected: one line in the log, no traceback. A handler may raise
    it to have the connection made anew.

    Args:
        url: Where to, without its query, which may hold a secret.
        code: The close code (RFC 6455, 7.4); 1006 where there was no close.
        reason: What the peer or the system said.
    """

    def __init__(self, url: str, code: int = 1006, reason: str = "") -> None:
        super().__init__(url, code, reason)
        self.url, self.code, self.reason = url, code, reason

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"no connection to {self.url} (code {self.code}){reason}"
