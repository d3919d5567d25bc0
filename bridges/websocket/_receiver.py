# Who is given what comes on one WebSocket: the port between a server's side and a consumer's.

from collections.abc import Callable, Sequence
from typing import Protocol

from ._close import Violation


class Receiver(Protocol):
    """Whoever is given what comes on one WebSocket. All of it on the loop's thread."""

    @property
    def room(self) -> int:
        """How many more messages may come now."""
        ...

    def on_read_room(self, resume: Callable[[], object]) -> None:
        """Call *resume* once, as soon as there is room for a few."""
        ...

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Take the next messages, which there was room for; say whether more may come."""
        ...

    def ended(self, code: int, reason: str) -> None:
        """Take note of the peer's end: nothing comes behind it."""
        ...

    def violated(self, violation: Violation) -> None:
        """Take note that the peer broke the protocol: nothing is read behind it."""
        ...

    def sent(self) -> None:
        """Take note that the socket has taken some of what waited, or is broken."""
        ...

    def cancelled(self) -> None:
        """Take note that the server has cancelled the connection's task."""
        ...
