# The client's end of one long-polling session: what a WebSocket's driver does, by requests.
#
# It polls by itself, as a client does, so that messages come and the session lives on; a test
# of the protocol says `polling=False` and makes its requests one by one, with `request`.

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import trio

from ...actors._lowlevel import checkpoint
from ._rules import HttpRules, settled
from ._slot_side import Server
from ._websocket import WebsocketDriver

Headers = Iterable[tuple[str, str]]

_TOKEN = "greenroom-token"  # noqa: S105 - the name of a header
_QUEUE = 10


class LongPollAnswer:
    """The answer to one request of a session."""

    def __init__(self) -> None:
        self.status = 0
        """0 if there was none: the request was left."""
        self.headers: dict[str, str] = {}
        self.body = b""

    @property
    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)

    def take(self, event: Mapping[str, Any]) -> bool:
        """Add what the application sent; say whether that was the last of it."""
        if event["type"] == "http.response.start":
            self.status = event["status"]
            pairs = event.get("headers", ())
            self.headers = {name.decode(): value.decode() for name, value in pairs}
            return False
        self.body += event.get("body", b"")
        return not event.get("more_body", False)


class LongPollDriver(WebsocketDriver):
    """
    The client's end of one session; made by :meth:`ServerDriver.long_poll`.

    It has the methods of :class:`WebsocketDriver`. ``pause_reading`` leaves the poll that waits
    and begins no other one; ``resume_reading`` polls again.
    """

    def __init__(
        self,
        server: Server,
        scope: dict[str, Any],
        application: Callable[..., Any],
        *,
        headers: Headers,
        polling: bool,
    ) -> None:
        super().__init__(server, scope)
        self.token = ""
        """What every further request is sent with."""
        self.seen = 0
        """The number of the last message that came; a poll acknowledges all up to it."""
        self.sent = 0
        """The number of the last message that was sent."""
        self.lost: list[tuple[int, int]] = []
        """The first and the last number of each gap that the server has told of."""
        self._application = application
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        self._reading = polling
        self._poll_left = trio.Event()

    # -- requests, one by one --------------------------------------------------------------

    async def request(
        self,
        method: str,
        body: object = None,
        *,
        query: str = "",
        token: str | None = None,
        headers: Headers = (),
        left: trio.Event | None = None,
    ) -> LongPollAnswer:
        """
        Send one request and return its answer. A checkpoint.

        Args:
            method: GET, POST or DELETE.
            body: To be sent: bytes as they are, all else as JSON.
            query: Of the URL, such as ``after=3``, behind that of the path.
            token: The session's, if not this one's; empty for none.
            headers: Further ones.
            left: Once it is set the client leaves; the answer's status is 0 if there was none.
        """
        data = body if isinstance(body, bytes) else b"" if body is None else _encoded(body)
        parts = (self.scope["query_string"], query.encode())
        scope = self.scope | {"method": method, "query_string": b"&".join(filter(None, parts))}
        scope["headers"] = [*self._headers, *((n.encode(), v.encode()) for n, v in headers)]
        token = self.token if token is None else token
        if token:
            scope["headers"].append((_TOKEN.encode(), token.encode()))
            scope.pop("extensions", None)
        scope["state"] = dict(self.scope["state"])
        answer = LongPollAnswer()
        into, queue = trio.open_memory_channel[dict[str, Any]](_QUEUE)
        into.send_nowait({"type": "http.request", "body": data, "more_body": False})
        rules, gone = HttpRules(), False

        async def leave() -> None:
            nonlocal gone
            assert left is not None
            await left.wait()
            gone = True
            await into.send({"type": "http.disconnect"})

        async def send(event: Mapping[str, Any]) -> None:
            await checkpoint()
            event = settled(event)
            rules.take(event)
            if not gone and answer.take(event):
                await into.send({"type": "http.disconnect"})

        async with trio.open_nursery() as nursery:
            if left is not None:
                nursery.start_soon(leave)
            await self._application(scope, queue.receive, send)
            nursery.cancel_scope.cancel()
        return answer

    async def poll(self, left: trio.Event | None = None) -> LongPollAnswer:
        """Ask for messages once; what came is read with ``receive``. A checkpoint."""
        answer = await self.request("GET", query=f"after={self.seen}", left=left)
        if answer.status == 200:
            self._take_messages(answer.json)
        elif answer.status == 410:
            self._end(answer)
        return answer

    def _take_messages(self, content: dict[str, Any]) -> None:
        lost = content.get("lost")
        if lost is not None:
            self.lost.append((lost["from"], lost["to"]))
            self.seen = max(self.seen, lost["to"])
        for each in content["messages"]:
            if each["seq"] <= self.seen:
                continue
            self.seen = each["seq"]
            data = each.get("bytes")
            self._from_app.append(
                {
                    "type": "websocket.send",
                    "text": each.get("text"),
                    "bytes": None if data is None else base64.b64decode(data),
                }
            )
        self._ring()

    # -- the same by itself ------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Leave the poll that waits, and begin no other one."""
        super().pause_reading()
        self._poll_left.set()

    async def run(self, application: Callable[..., Any]) -> None:
        """Be the client; started by :meth:`ServerDriver.long_poll`."""
        try:
            if not await self._open():
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_polling)
                await self._keep_posting()
                nursery.cancel_scope.cancel()
        finally:
            self.application_done.set()
            self._ring()

    async def _open(self) -> bool:
        answer = await self.request("POST", token="")
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if answer.status == 201:
            self.token = answer.json["token"]
            self._from_app.append({"type": "websocket.accept", "headers": headers})
        else:
            start = {"type": "websocket.http.response.start", "status": answer.status}
            self._from_app.append(start | {"headers": headers})
            self._from_app.append({"type": "websocket.http.response.body", "body": answer.body})
        self._ring()
        return answer.status == 201

    async def _keep_polling(self) -> None:
        while not self._gone:
            while not self._reading:
                self._room = trio.Event()
                await self._room.wait()
            self._poll_left = trio.Event()
            answer = await self.poll(self._poll_left)
            if answer.status not in (0, 200, 204):
                return

    async def _keep_posting(self) -> None:
        self._waiting.clear()  # of the event that opens a WebSocket
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                if event["type"] == "websocket.disconnect":
                    await self.request("DELETE")
                    return
                await self._post(event)
            self._fed = trio.Event()
            await self._fed.wait()

    async def _post(self, event: Mapping[str, Any]) -> None:
        self.sent += 1
        message: dict[str, object] = {"seq": self.sent}
        if event["text"] is not None:
            message["text"] = event["text"]
        else:
            message["bytes"] = base64.b64encode(event["bytes"]).decode()
        answer = LongPollAnswer()
        while answer.status in (0, 429):  # the consumer is behind
            answer = await self.request("POST", {"messages": [message]})
        if answer.status == 410:
            self._end(answer)

    def _end(self, answer: LongPollAnswer) -> None:
        said = answer.json
        close = {"type": "websocket.close", "code": said.get("code") or 1006}
        self._from_app.append(close | {"reason": said.get("reason", "")})
        self._ring()


def _encoded(body: object) -> bytes:
    return json.dumps(body).encode()
