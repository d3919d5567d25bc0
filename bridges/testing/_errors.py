# What a driver raises when the application says no.

from ...actors import GreenroomError


class StartupFailed(GreenroomError):
    """The application answered ``lifespan.startup.failed``; its message is the text."""


class HandshakeRefused(GreenroomError):
    """
    The application refused the WebSocket.

    ``status`` is the HTTP status, 403 for a plain close; ``body`` and ``headers`` are
    those of the denial response.
    """

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(status, body, headers)
        self.status, self.body, self.headers = status, body, headers

    def __str__(self) -> str:
        return f"the handshake was refused with {self.status}: {self.body!r}"


class SocketClosed(GreenroomError):
    """The application closed the WebSocket with *code* and *reason*."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"the application closed the socket with {self.code} {self.reason!r}"
