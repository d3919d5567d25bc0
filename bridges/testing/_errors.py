# What a driver raises when the application says no, or nothing.

from typing import cast

import trio

from ...actors import GreenroomError


class StartupFailed(GreenroomError):
    """The application answered ``lifespan.startup.failed``; its message is the text."""


class HandshakeRefused(GreenroomError):
    """
    The application refused the WebSocket.

    ``status`` is the HTTP status, 403 for a plain close; ``body`` and ``headers`` are
    those of the denial response. Where the consumer crashed, its error is the cause.
    """

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(status, body, headers)
        self.status, self.body, self.headers = status, body, headers

    def __str__(self) -> str:
        return f"the handshake was refused with {self.status}: {self.body!r}"


class SocketClosed(GreenroomError):
    """
    The application closed the WebSocket with *code* and *reason*.

    Where it did so because the consumer crashed, the consumer's error is the cause.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"the application closed the socket with {self.code} {self.reason!r}"


class StreamRefused(GreenroomError):
    """
    The application answered a request for an event stream with something else.

    ``status``, ``body`` and ``headers`` are those of its answer. Where the consumer crashed, its
    error is the cause.
    """

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(status, body, headers)
        self.status, self.body, self.headers = status, body, headers

    def __str__(self) -> str:
        return f"the event stream was refused with {self.status}: {self.body!r}"


class StreamEnded(GreenroomError):
    """The application has ended the response, as a whole one: nothing more comes."""

    def __str__(self) -> str:
        return "the application has ended the response"


class ResponseCut(GreenroomError):
    """
    The application returned with its response unfinished: a server cuts the connection.

    Where it did so because the consumer crashed, the consumer's error is the cause.
    """

    def __str__(self) -> str:
        return "the application left its response unfinished, so a server cuts the connection"


class NothingCame(GreenroomError, trio.TooSlowError):
    """
    What a test waited for did not come in time.

    The text says what came instead, and which handlers run and where they wait. If a consumer
    has crashed, the last crash is the cause.
    """


class NotStopped(GreenroomError):
    """Something that a test began is still there at its end: the text says what, and where."""


class ProtocolViolation(GreenroomError, RuntimeError):
    """The application sent what a server refuses; raised in its ``send``."""


def alone(error: BaseException) -> BaseException:
    """Return the one exception that *error*, as a rule a group, is about; else *error*."""
    found = error
    while isinstance(found, BaseExceptionGroup):
        inner = cast("tuple[BaseException, ...]", found.exceptions)
        if len(inner) != 1:
            return error
        found = inner[0]
    return found
