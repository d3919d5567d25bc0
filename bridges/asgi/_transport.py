# The way around ASGI: what a server offers whose sockets can be written to directly.
#
# A server that has it hands the application bound methods of one object as `receive` and
# `send`. An application that finds that object takes it instead; one that was given
# somebody's wrappers (a middleware's) finds nothing, and what they want to see goes through them.

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from ...actors.consumers import Frame
from ..websocket._receiver import Receiver

Headers = Sequence[tuple[bytes, bytes]]


class Transport(Protocol):
    """One WebSocket of such a server. Loop thread only where nothing else is said."""

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken. Any thread."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether the socket takes no more; then the receiver is told when it does. Any thread."""
        ...

    @property
    def read_all(self) -> bool:
        """Whether nothing more is read: the peer has ended, or is past the protocol."""
        ...

    def traffic(self) -> Mapping[str, object]:
        """
        Return what has gone through it so far, and when the peer was heard of, for operators.

        ``frames_out`` and ``bytes_out``, what belongs to the protocol included, and ``heard``, in
        seconds before now. Loop thread only.
        """
        ...

    def tune(self, message_bytes: int, ping_seconds: float, pong_seconds: float) -> None:
        """Have other bounds than the server's, before :meth:`take_over`."""
        ...

    def take_over(self, receiver: Receiver) -> None:
        """Use it in ASGI's place: have *receiver* given what comes, from now on."""
        ...

    def accept(self, subprotocol: str | None, headers: Headers) -> None:
        """Write the answer that opens. Any thread."""
        ...

    def deny(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer that refuses. Any thread."""
        ...

    def send(self, frame: Frame) -> bool:
        """
        Write *frame*; False when the connection is broken. Any thread, never blocks.

        Behind a close, which a thread may write at the same time, it is dropped.
        """
        ...

    def send_text(self, text: str, most: int) -> bool:
        """
        Write *text* unless more than *most* bytes would wait then: the short way of most frames.

        False when nothing was written, for that reason or since the connection is broken.
        Otherwise what :meth:`send` does.
        """
        ...

    def close(self, code: int, reason: str) -> None:
        """Write the close, behind which nothing goes out. Any thread."""
        ...

    def flush(self) -> None:
        """Give the socket what it takes of what waits. Any thread."""
        ...

    def throw_away(self) -> None:
        """Forget what waits. Any thread."""
        ...

    async def finish(self, seconds: float) -> bool:
        """Send what waits, *seconds* at most, else reset it: then False. A checkpoint."""
        ...

    async def wait_read_all(self) -> None:
        """Wait until nothing more is read: the peer has ended. A checkpoint if it waits."""
        ...


def transport_of(receive: Any, send: Any) -> Transport | None:
    """Return the transport that *receive* and *send* belong to; None if there is none."""
    owner = getattr(receive, "__self__", None)
    if owner is None or getattr(send, "__self__", None) is not owner:
        return None
    return getattr(owner, "greenroom_transport", None)


def serve_inner(app: Any, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    """Call an application that may know nothing of transports: await what is returned."""
    if transport_of(receive, send) is not None and not getattr(app, "greenroom_native", False):
        receive.__self__.serve()
    return app(scope, receive, send)
