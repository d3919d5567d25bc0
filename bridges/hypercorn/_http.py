# One HTTP request on a connection of ours: what ASGI calls `receive` and `send`.
#
# No task and no queue: `receive` reads the socket in the task that calls it, `send` hands
# bytes to the wire, which writes them when that task suspends. So a small response is
# one system call, and nothing is read that nobody asked for: TCP holds the peer back.

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, cast

import trio

from ..http._request import END, BadRequest, End, Head
from ..http._response import ResponseWriter

if TYPE_CHECKING:
    from ._connection import FastTCPServer

Event = MutableMapping[str, Any]
HIGH_WATER_BYTES = 65536
_EVENT_BYTES = 1024  # what a part costs beside its bytes


class PeerGone(ConnectionError):
    """The peer of this connection is gone, so nothing can be sent."""


class HttpExchange:
    """One request and its response on *connection*."""

    def __init__(self, connection: "FastTCPServer", head: Head, writer: ResponseWriter) -> None:
        self.head = head
        self.status = 0
        """Of the response; 0 as long as there is none."""
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        """Whether the whole response was handed over."""
        self.gone = False
        """Whether the peer's end was seen, or its fault."""
        self.fault: BadRequest | None = None
        """What was wrong with the body."""
        self._connection = connection
        self._wire = connection.wire
        self._parser = connection.parser
        self._writer = writer
        self._told_all = False
        self._item: object = None  # the next of the body, taken early
        self._continue_due = head.expects_continue
        self._done: trio.Event | None = None
        self._reading = False  # a task is in receive()
        self._turn: trio.Event | None = None  # others wait for it
        self._unyielded = 0  # bytes and more that were sent without a checkpoint

    async def receive(self) -> Event:
        """
        Return the next part of the body, or that the peer is gone. ASGI's `receive`.

        A checkpoint when it waits, and always behind the body. A cancellation loses nothing.
        A second task waits for the first one.
        """
        while self._reading:
            if self._turn is None:
                self._turn = trio.Event()
            await self._turn.wait()
        self._reading = True
        try:
            return await self._receive()
        finally:
            self._reading = False
            if self._turn is not None:
                self._turn.set()
                self._turn = None

    async def _receive(self) -> Event:
        if self._told_all or self.gone:
            return await self._disconnect()
        item = await self.next_of_body()
        if item is None:
            return {"type": "http.disconnect"}
        if item is END:
            self._told_all = True
            return {"type": "http.request", "body": b"", "more_body": False}
        self._item = self._take()  # so that the last piece says that it is
        self._told_all = self._item is END
        return {"type": "http.request", "body": item, "more_body": not self._told_all}

    async def next_of_body(self) -> bytes | End | None:
        """Return the next piece of the body, END, or None when the peer is gone."""
        while True:
            item, self._item = self._item, None
            if item is None:
                item = self._take()
            if item is END:
                self._item = END
                return END
            if item is not None:
                return cast("bytes", item)
            if self.gone:
                return None
            if self._continue_due and not self._writer.begun:  # an answer invites nothing
                self._continue_due = False
                self._wire.write(self._writer.informational(100))
            with trio.move_on_after(self._connection.limits.body_seconds) as patience:
                if not await self._connection.read_more():
                    self.fault = BadRequest(400, "The body of the request broke off.")
                    self.gone = True
                    return None
            if patience.cancelled_caught:
                self.fault = BadRequest(408, "The body of the request took too long.")
                self.gone = True
                return None

    def _take(self) -> object:
        try:
            return self._parser.next()
        except BadRequest as error:
            self.fault = error
            self.gone = True
            return None

    @property
    def all_read(self) -> bool:
        """Whether the body was read to its end, so that nothing of it can still come."""
        if self._item is None and not self._told_all:
            self._item = self._take()
        return self._told_all or self._item is END

    @property
    def head_sent(self) -> bool:
        """Whether the response has begun to go out."""
        return self._writer.head_sent

    @property
    def waits_for_continue(self) -> bool:
        """Whether the body may never come: its 100 was not sent."""
        return self._continue_due

    @property
    def ends_by_close(self) -> bool:
        """Whether only the close tells the peer where the body ends."""
        return self.head.http_version == "1.0" and not any(
            name.lower() == b"content-length" for name, _ in self.response_headers
        )

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return self._writer.keep_alive

    async def _disconnect(self) -> Event:
        # Behind the body only the peer's end is of interest. What it sends ahead (the next
        # request) is read once and kept; then reading waits for this response.
        while not (self.gone or self.complete or self._connection.ahead):
            if not await self._connection.read_ahead():
                self.gone = True
        if not (self.gone or self.complete):
            self._done = trio.Event()
            await self._done.wait()
        else:
            await trio.sleep(0)  # who asks again and again must not keep the others waiting
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """
        Hand over a part of the response. ASGI's `send`.

        A checkpoint when much waits for the peer, and now and then. A cancellation while it
        waits leaves what was handed over to be sent.

        Raises:
            PeerGone: The connection is over. Always after a checkpoint, so that a loop of
                sends is never a busy one.
            ValueError: A header or the length of the body is not one that can be sent.
        """
        kind = event["type"]
        if kind == "http.response.start":
            self.status = event["status"]
            self.response_headers = list(event.get("headers", ()))
            self._writer.start(self.status, self.response_headers)
            return
        if kind != "http.response.body":
            raise ValueError(f"an HTTP response has no event of this type. Got: {kind!r}")
        more = bool(event.get("more_body", False))
        body = event.get("body", b"")
        data = self._writer.body(body, more)
        if not more:
            self.complete = True
            if self._done is not None:
                self._done.set()
        if data and not self._wire.write(data):
            await trio.sleep(0)
            raise PeerGone("the peer is gone: the response reaches nobody")
        if self._wire.size > HIGH_WATER_BYTES:
            await self._drain()
        if more:
            self._unyielded += _EVENT_BYTES + len(body)
            if self._unyielded > HIGH_WATER_BYTES:
                self._unyielded = 0
                await trio.sleep(0)

    async def _drain(self) -> None:
        if not await self._connection.drain():
            raise PeerGone("the peer is gone, or takes nothing: the response is cut off")
