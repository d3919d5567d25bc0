# What a supervised consumer's `send` does: an ASGI event becomes an act of its connection.
#
# One object for each incarnation, so that what an old one sends is refused (Stale), as with an
# actor's own methods. Other consumers may send here, too: code for Channels keeps its consumers in
# lists and dicts. For them it is the socket that counts, not the incarnation whose object they
# have; and if the socket is over, nothing happens, as under Channels.

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...actors._awaitables import room_of
from ...actors._context import current_life
from ...actors._errors import Disconnected
from ...actors._life import Life
from ...actors.consumers._frames import frame_of
from ...actors.consumers._websocket import check_close

logger = logging.getLogger("greenroom.channels")

CODES = (
    "%s closes with code %r, which no endpoint may send (RFC 6455, 7.4): its client is told 1000."
    " Use 3000 to 4999."
)


class Socket:
    """
    The ``base_send`` of one incarnation.

    Args:
        life: The incarnation.
    """

    def __init__(self, life: Life) -> None:
        connection = life.host.connection
        assert connection is not None, "a consumer outside a connection"
        self._life = life
        self._connection = connection
        self._denial: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None
        self.ending = False
        """Whether the last handler runs: what it sends to a client that is gone is no error."""

    async def __call__(self, message: Any) -> None:
        """
        Do what *message* says, at the call. A checkpoint if much waits to go out already.

        Raises:
            Disconnected: The client has gone, or the socket was closed.
            RuntimeError: It is out of turn.
            Stale: This incarnation is over.
            ValueError: No such message is known.
        """
        if self._put(message):
            if self._life.host.loop.is_here():
                await self._connection.wait_room()
            else:
                await self._wait_on_asyncio()

    def in_thread(self, message: Any) -> None:
        """Do the same for a thread, which waits in here for room."""
        if self._put(message):
            room_of(self._connection, here=self._life.host.loop.is_here())

    def _put(self, message: Any) -> bool:
        """Do what *message* says; whether its sender should wait for room."""
        life = self._life
        if life.over and (caller := self._caller()) is not None:
            life = caller  # it holds an object from before a crash, whose socket lives on
        life.check()
        connection, kind = self._connection, message["type"]
        try:
            if kind == "websocket.send":
                text = message.get("text")
                if type(text) is str:
                    return connection.send_text(text)
                return connection.send(frame_of(text, None if text else message.get("bytes")))
        except Disconnected:
            if self.ending or self._caller() is not None:
                return False
            raise
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._close(message)
        elif kind == "websocket.http.response.start":
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
            self._denial = (message["status"], headers, b"")
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._deny(message)
        else:
            raise ValueError(f"a WebSocket consumer can't send a message of type {kind!r}.")
        return False

    def _caller(self) -> Life | None:
        """
        Return whose handler sends here, if it is another incarnation's, mostly of another slot.

        It goes through a list of consumers, say. That one of them has gone is not its own end.
        """
        caller = current_life.get()
        return None if caller is self._life else caller

    def _accept(self, message: Any) -> None:
        headers = message.get("headers") or ()
        pairs = [(_latin(name).lower(), _latin(value)) for name, value in headers]
        self._connection.accept(message.get("subprotocol"), pairs)
        self._life.answered()

    def _close(self, message: Any) -> None:
        code, reason = message.get("code", 1000), message.get("reason") or ""
        if self._connection.decided:  # before, it is a refusal, which has no code
            try:
                check_close(code, "")
            except (TypeError, ValueError):
                logger.warning(CODES, self._life.actor.__qualname__, code)
                code = 1000
        self._end(code if isinstance(code, int) else 1000, reason)

    def _end(self, code: int, reason: str) -> None:
        check_close(1000, reason)
        if self._connection.close(code, reason):
            self._life.host.request_stop("closed by itself", code, reason, patient=True)

    def _deny(self, message: Any) -> None:
        assert self._denial is not None
        status, headers, body = self._denial
        self._denial = (status, headers, body + message.get("body", b""))
        if message.get("more_body"):
            return
        (status, headers, body), self._denial = self._denial, None
        headers = [each for each in headers if each[0].lower() != b"content-length"]
        self._refuse(status, headers, body)
        self._life.host.request_stop(f"refused with {status}", patient=True)

    def _refuse(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        connection: Any = self._connection
        if hasattr(connection, "refuse"):
            connection.refuse(status, headers, body)
        else:
            connection.deny(status, body.decode(errors="replace"), headers)

    async def _wait_on_asyncio(self) -> None:
        """Wait on the asyncio loop, which this is awaited on, until there is room."""
        loop, room = asyncio.get_running_loop(), asyncio.Event()
        self._connection.on_room(lambda: loop.call_soon_threadsafe(room.set))
        try:
            async with asyncio.timeout(self._connection.stall_seconds):
                await room.wait()
        except TimeoutError:
            self._connection.give_up()


def _latin(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)
