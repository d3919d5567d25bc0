"""What a consumer of HTTP needs of its connection, beside what all need: protocols only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from .._actor import Actor, connection_of
from .._ports import Connection

if TYPE_CHECKING:
    from ._event_history import EventHistory

HeaderList = Sequence[tuple[bytes, bytes]]


class Response(Connection, Protocol):
    """One response, as a consumer sees it. Every method from any thread."""

    @property
    def begun(self) -> bool:
        """Whether its head was handed over."""
        ...

    @property
    def bodyless(self) -> bool:
        """Whether the request's method is HEAD: the client is sent no body."""
        ...

    def respond(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Append a whole response. Raises RuntimeError behind one that was begun."""
        ...

    def start(self, status: int, headers: HeaderList, *, trailers: bool) -> None:
        """Append the head. Raises RuntimeError behind one that was begun."""
        ...

    def send_part(self, data: bytes) -> bool:
        """Append a part of the body; whether it is full now. Raises RuntimeError before a head."""
        ...

    def finish(self, data: bytes, trailers: HeaderList) -> None:
        """Append the end of the body. Raises RuntimeError before a head."""
        ...


class EventResponse(Response, Protocol):
    """One event stream, as a consumer sees it. Every method from any thread."""

    def open_stream(self, headers: HeaderList, first: bytes, history: EventHistory | None) -> None:
        """Append the head, *first*, and what *history* has for this client."""
        ...


def response_of(actor: Actor) -> Response:
    """Return the response of a consumer's slot."""
    return cast("Response", connection_of(actor))


def header_list(headers: Iterable[tuple[str | bytes, str | bytes]]) -> list[tuple[bytes, bytes]]:
    """Return *headers* as ASGI has them: bytes, names in lower case."""
    listed: list[tuple[bytes, bytes]] = []
    for header in headers:
        pair: Any = header  # what a mapping yields is no pair, but text
        if isinstance(pair, str | bytes):
            raise TypeError(
                f'headers are pairs, as in [("x-name", "value")]. Got: {pair!r} among them'
            )
        name, value = pair
        listed.append((_latin(name).lower(), _latin(value)))
    return listed


def _latin(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(cast("bytes", value))
    raise TypeError(f"a header's name and value are str or bytes. Got: {value!r}")
