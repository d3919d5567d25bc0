# The facts about one request: what the parser hands out, what it refuses, within what limits.
#
# Invariants, each with a test of that name in tests/bridges/http/test_request.py:
#   BOUNDED  every limit is a positive number; there is no way to say "unlimited".
#   BLAME    a BadRequest is the peer's doing: it carries the status to answer with, and
#            survives pickling like every error of the house.
#
# A dataclass for the head, not a dict or a scope: the parser knows nothing of ASGI, and what
# decides about the connection (keep_alive, upgrade, length) is a fact with a name, worked out
# once, where the bytes were checked. Turned down: an event class for each kind of thing as h11
# has them. A head, bytes and END say the same, and bytes need no wrapping.

from dataclasses import dataclass
from enum import Enum


class BadRequest(ValueError):
    """
    The peer sent what is not, or must not be, served; nothing behind it can be read.

    Answer with *status* and close: where the next request begins is unknown.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


# What others chose. The head: h11 16 KiB, node 16 KiB, nginx 4 buffers of 8 KiB, Apache 100 lines
# of 8,190 bytes, uvicorn's httptools 64 KiB. The target: Apache's LimitRequestLine 8,190, nginx one
# buffer of 8 KiB; RFC 9112, 3 asks for 8,000 at least. Headers: Apache 100, node 2,000, nginx 1,000
# (since 1.29), websockets 128. Browsers send 10 to 20, proxies add as many.
@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a request is read before it is refused with 414 or 431."""

    head_bytes: int = 16384
    """Request line and headers with their line ends; trailers likewise."""
    target_bytes: int = 8190
    """The request target."""
    headers: int = 100
    """How many header lines."""

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        for name in ("head_bytes", "target_bytes", "headers"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be a positive number. Got: {value!r}")


@dataclass(slots=True)
class Head:
    """The head of a request, checked: what it asks for and how its body is delimited."""

    method: str
    target: bytes
    """In origin form, ``/path?query``, or ``*``. The absolute form was brought to it."""
    http_version: str
    """``"1.0"`` or ``"1.1"``."""
    headers: list[tuple[bytes, bytes]]
    """In order, names in lower case, values without white space around them."""
    keep_alive: bool
    """Whether the peer leaves the connection open for another request."""
    expects_continue: bool
    """Whether the peer waits for a 100 before it sends the body."""
    upgrade: bool
    """Whether it asks for a WebSocket: what follows is no HTTP, see RequestParser.rest."""
    content_length: int | None
    """In bytes; None where the request does not say."""
    chunked: bool


class End(Enum):
    """The end of a request's body."""

    END = "end"


END = End.END
