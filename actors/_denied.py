"""Refusing a connection with an HTTP status and a body, from any depth of `connect`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ._errors import Decline

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import Connection

Headers = Iterable[tuple[str | bytes, str | bytes]]

_POLICY = 1008


class Denied(Decline):
    """
    Raised in ``connect`` or ``started`` of a consumer, at any depth: refuse with an HTTP status.

    It is no failure. A server that can't send a denial response answers 403 instead. Where the
    socket was accepted already it is closed with 1008. An `HttpConsumer` may raise it in any
    handler until its response is begun. Anywhere else it is an error like any.

    Args:
        status: 300 to 599.
        body: What the client gets; a str as ``text/plain``.
        headers: Of the response.
        reason: Why, for the tree and the log; the status if left out.

    Raises:
        ValueError: *status* is no such number.
    """

    def __init__(
        self,
        status: int = 403,
        body: str | bytes = b"",
        headers: Headers = (),
        reason: str = "",
    ) -> None:
        if not 300 <= status <= 599:
            raise ValueError(f"Denied takes a status from 300 to 599. Got: {status!r}")
        super().__init__(reason or f"refused with {status}")
        self.args = (status, body, headers, reason)
        self.status, self.body, self.headers = status, body, tuple(headers)


def denial_of(body: str | bytes, headers: Headers) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body as they go out: a text with its type, if it is given no other."""
    listed = [(_latin(name).lower(), _latin(value)) for name, value in headers]
    if isinstance(body, str):
        if not any(name == b"content-type" for name, _ in listed):
            listed.insert(0, (b"content-type", b"text/plain; charset=utf-8"))
        return listed, body.encode()
    return listed, body


def refuse_with(decline: Decline, connection: Connection | None) -> int:
    """Refuse *connection* as *decline* says; return the code to close it with if it was open."""
    if not isinstance(decline, Denied):
        return 1000
    if connection is None:
        return _POLICY
    with suppress(RuntimeError):  # it is open: then it is closed, with the code
        connection.refuse(decline.status, *denial_of(decline.body, decline.headers))
    return _POLICY


def is_answer(decline: Decline, life: Life) -> bool:
    """Whether *decline*, raised behind the start, could still answer a request; then it has."""
    connection = life.host.connection
    if connection is None or not (life.actor.deniable_late and isinstance(decline, Denied)):
        return False
    return connection.refuse(decline.status, *denial_of(decline.body, decline.headers))


def _latin(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)
