# The way around ASGI: what a server offers whose sockets can be written to directly.
#
# A server that has it hands the application bound methods of one object as `receive` and
# `send`. An application that finds that object takes it instead; one that was given
# somebody's wrappers (a middleware's) finds nothing, and what they want to see goes through them.

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from ...actors.consumers import Frame

Headers = Sequence[tuple[bytes, bytes]]


class Transport(Protocol):
    """One WebSocket of such a server. Loop thread only where nothing else is said."""

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken. Any thread."""
        ...

    def take_over(self, on_room: Callable[[], object], spawn: Callable[..., None]) -> None:
        """
        Begin to use it in ASGI's place.

        Args:
            on_room: Called when the socket has taken what waited.
            spawn: Starts a task that ends with the connection.
        """
        ...

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Write the answer that opens. Any thread."""
        ...

    def deny(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer that refuses. Any thread."""
        ...

    def send(self, frame: Frame) -> bool:
        """Write *frame*; False when the connection is broken. Any thread, never blocks."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Write the close. Any thread."""
        ...

    def flush(self) -> None:
        """Give the socket what it takes of what waits. Any thread."""
        ...

    def throw_away(self) -> None:
        """Forget what waits. Any thread."""
        ...

    async def read(
        self, take: Callable[[str | bytes], bool], room: Callable[[], Awaitable[None]]
    ) -> tuple[int, str]:
        """
        Read until the peer's end; return its code and its reason.

        A checkpoint. *take* is given each message and says whether more may come; if not,
        *room* is awaited before the next. Raises Violation when the peer breaks the protocol.
        """
        ...

    async def finish(self, seconds: float) -> bool:
        """Send what waits and end the connection in order, *seconds* at most; else reset it."""
        ...


def transport_of(receive: Any, send: Any) -> Transport | None:
    """Return the transport that *receive* and *send* belong to; None if there is none."""
    owner = getattr(receive, "__self__", None)
    if owner is None or getattr(send, "__self__", None) is not owner:
        return None
    return getattr(owner, "greenroom_transport", None)


async def serve_inner(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Serve *scope* with an application that may know nothing of transports. A checkpoint."""
    socket = getattr(receive, "__self__", None)
    if transport_of(receive, send) is None or getattr(app, "greenroom_native", False):
        await app(scope, receive, send)
    else:
        await cast("Any", socket).serve(lambda: app(scope, receive, send))
