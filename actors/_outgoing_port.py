"""Who follows the connections that an actor makes elsewhere: a protocol only."""

# Nobody does but in a tree that is traced (see Host.outgoing).

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]


class OutgoingPort(Protocol):
    """Follows one attempt to connect, from dialling to the answer. Nothing in it raises."""

    @property
    def carried(self) -> object:
        """What is linked to the handlers of what comes over it; once it has begun."""
        ...

    def begin(self, url: str, host: str, port: int, headers: Headers) -> Headers:
        """
        Take note that it begins; return what to send behind *headers*.

        Args:
            url: Where to, without user and query.
            host: Who is dialled.
            port: And where.
            headers: What the request holds already.
        """
        ...

    def end(self, status: int, error: BaseException | None) -> None:
        """
        Take note of its end.

        Args:
            status: Of the server's answer; 0 if there was none.
            error: What it has failed with; None if it has not, or was given up.
        """
        ...
