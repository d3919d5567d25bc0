# One HTTP request of a consumer: its slot, a reader and a writer.
#
# The reader hands the body over and then waits for the client's leaving; the writer sends what
# the output holds. Both end behind the response, or when it was cut. What goes wrong here ends
# this request and nothing else.

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, cast

import trio

from ...actors import Actor
from ...actors._exits import Exit, ExitKind
from ...actors._messages import InFrame
from ...actors.consumers import Consumer
from ...supervisor import Root
from ..hypercorn._drop import drop
from ._attached import Attached
from ._counted import Place, serve_counted
from ._foreign import take_place
from ._http import Request, plain
from ._http_output import SLOW, HttpOutput

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

LEFT, GONE = "client left", 1006
_OUT_SECONDS = 0.5  # for an answer to be out, before a body is read that it refuses

logger = logging.getLogger("greenroom")


async def serve_http_consumer(
    root: Root,
    route: str,
    actor: type[Consumer],
    kwargs: dict[str, Any],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """
    Serve one request with a slot of *actor*, until both are over. A checkpoint.

    A cancellation becomes a stop request: `disconnect` runs, what was not answered gets 503,
    then the cancellation goes on.
    """
    take_place(scope)
    if await turned_away(root, route, actor, scope, receive, send):
        return

    place = (root, route, actor, kwargs, scope)
    limits = root.connections.limits_of(actor)
    if limits.counted:
        await serve_counted(place, limits, receive, send, _serve, turn_away)
    else:
        await _serve(place, receive, send)


async def _serve(place: Place, receive: Receive, send: Send) -> None:
    connection = HttpConnection(*place)
    try:
        await connection.run(receive, send)
    finally:
        connection.detach()


async def turned_away(
    root: Root, route: str, actor: type[Consumer], scope: Scope, receive: Receive, send: Send
) -> bool:
    """Refuse with 503 what *root* can't take now; whether it did. A checkpoint if so."""
    temporary = getattr(actor, "restart", "") == "temporary"
    refusal = root.connections.refusal(request=temporary)
    if refusal is None:
        return False
    await turn_away(root, route, scope, receive, send, refusal)
    return True


async def turn_away(
    root: Root,
    route: str,
    scope: Scope,
    receive: Receive,
    send: Send,
    refusal: str,
    status: int = 503,
) -> None:
    """Refuse with *status* what can't be taken now, for the reason of *refusal*. A checkpoint."""
    facts = {"status": status} if status != 503 else {}
    path = f"/connections/{route}"
    root.events.emit("connection.refused", path, reason=refusal, url=scope["path"], **facts)
    request = Request(receive, send)
    await plain(request.send, status, f"{refusal}\n", [(b"retry-after", b"5")])


class HttpConnection(Attached):
    """The slot of one request, in the tree from here on, and the tasks beside it."""

    __slots__ = ("_actor", "_due", "_flushed", "_patience", "_read_all", "_scope")

    output: HttpOutput

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[Actor],
        kwargs: dict[str, Any],
        scope: Scope,
        make_output: Callable[..., HttpOutput] = HttpOutput,
    ) -> None:
        super().__init__(root, route, actor, kwargs, scope, make_output)
        self._actor, self._scope = actor, scope
        self._flushed, self._read_all = trio.Event(), trio.Event()
        self._patience = trio.CancelScope(shield=True)
        self._due = 0.0

    def _opened_with(self, scope: Scope) -> dict[str, Any]:
        return {"url": scope["path"], "method": scope["method"]}

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve the request to its end. A checkpoint; see the function above."""
        async with trio.open_nursery() as nursery:
            reading, writing = trio.CancelScope(), trio.CancelScope(shield=True)
            beside = trio.CancelScope()
            path = self.slot.path
            nursery.start_soon(self._read_with, receive, reading, name=f"{path} reader")
            nursery.start_soon(self._write, send, writing, name=f"{path} writer")
            for task, seconds in self._tasks():
                nursery.start_soon(self._beside, task, seconds, beside, name=f"{path} clock")
            try:
                exit_ = await self.slot.run(nursery)
            except BaseException as error:  # noqa: ASYNC103, BLE001 - see _fault()
                exit_ = self._fault(error)
            beside.cancel()
            if not await self._flush(exit_):
                reset = drop(send)
                if self.output.code != SLOW:  # else it was told when it was dropped
                    self.slot.note("output.slow", code=self.output.code, reset=reset)
            try:
                if self.output.complete:  # a server may want its body read before it goes on
                    with trio.move_on_after(self._root.options.close_seconds):
                        await self._read_all.wait()
            finally:  # also when cancelled: the writer is shielded, nobody else ends it
                reading.cancel()
                writing.cancel()
        if exit_.kind is ExitKind.FATAL:
            self._root.fatal(self.slot.path)
        del exit_  # its error's traceback may hold this frame: no cycle

    def setting(self, name: str) -> Any:
        """Return what the class says of *name*, else the tree."""
        return getattr(self._actor, name, getattr(self._root.options, name))

    # -- beside the slot: overridden for event streams (_event_stream.py) -----------------------

    def _tasks(self) -> Iterable[tuple[Callable[[float], Awaitable[None]], float]]:
        seconds: float | None = self.setting("answer_seconds")
        self.slot.handshake_seconds = float("inf")  # there is none; the deadline is this one
        return () if seconds is None else ((self._watch, seconds),)

    async def _beside(
        self, task: Callable[[float], Awaitable[None]], seconds: float, scope: trio.CancelScope
    ) -> None:
        with scope:
            await task(seconds)

    async def _watch(self, seconds: float) -> None:
        """Answer in the consumer's place when it has not begun to in time."""
        self._due = trio.current_time() + seconds
        while (left := self._due - trio.current_time()) > 0:
            await trio.sleep(left)
            if self.output.begun:
                return
        reason = f"no answer within {seconds:g} s"
        self.slot.note("request.unanswered", seconds=seconds)
        self.output.deny(504, f"{reason}\n")
        self.slot.request_stop(reason)

    # -- what comes in ---------------------------------------------------------------------------

    async def _read_with(self, receive: Receive, scope: trio.CancelScope) -> None:
        """Hand over what *receive* says, until *scope* is cancelled."""
        try:
            with scope:
                await self._read(receive)
        except trio.Cancelled:
            self._cancelled()  # not by `scope`: the server shuts down
            self._patience.deadline = trio.current_time() + self._root.options.close_seconds
            raise
        except Exception as error:  # noqa: BLE001 - the server's, and the client is gone with it
            self.slot.note("connection.failed", error=f"receive failed: {error!r}")
            self._ended(GONE, LEFT)
        finally:
            self._read_all.set()

    async def _read(self, receive: Receive) -> None:
        if expects_continue(self._scope):
            # Whoever is asked for the body sends it: so `connect` may refuse it first.
            await self.slot.settled.wait()
            self._fits(declared_length(self._scope), self._most)
            if self.output.over:
                # An answer that is out invites no body any more. But a server may wait for what
                # the client has sent all the same to be read, before its `send` returns.
                with trio.move_on_after(_OUT_SECONDS):
                    await self._flushed.wait()
        if self._actor.frame_handler == "chunk":
            gone = not await self._read_parts(receive)
        else:
            gone = not await self._read_whole(receive)
        self._read_all.set()
        while not gone:
            gone = (await receive())["type"] == "http.disconnect"
        self._ended(GONE, LEFT)

    async def _read_parts(self, receive: Receive) -> bool:
        """Put the parts of the body into the mailbox; False when the client has left."""
        mailbox, output, most = self.slot.mailbox, self.output, self._most
        wanted = self._fits(declared_length(self._scope), most)
        size, last = 0, False
        while not last:
            event = await receive()
            if event["type"] == "http.disconnect":
                return False
            data, last = event.get("body", b""), not event.get("more_body", False)
            size += len(data)
            wanted = wanted and not output.over and self._fits(size, most)
            if not wanted or not (data or last):
                continue
            self._expect()
            if not mailbox.put_frames((InFrame.part(data, last=last),)):
                await mailbox.wait_read_room()
                self._expect()
        return True

    async def _read_whole(self, receive: Receive) -> bool:
        """Put the whole body into the mailbox; False when the client has left."""
        most = self._most
        wanted = self._fits(declared_length(self._scope), most)
        parts: list[bytes] = []
        size, last = 0, False
        while not last:
            event = await receive()
            if event["type"] == "http.disconnect":
                return False
            data, last = event.get("body", b""), not event.get("more_body", False)
            size += len(data)
            if wanted and data:
                parts.append(data)
                self._expect()
                wanted = self._fits(size, most)
        if wanted and self._actor.frame_handler in self._actor.handler_table().special:
            self.slot.mailbox.put_frames((InFrame.part(b"".join(parts), last=True),))
        return True

    @property
    def _most(self) -> int | None:
        """How large a body may be: in parts as large as it likes, if the class says nothing."""
        if self._actor.frame_handler == "chunk":
            return getattr(self._actor, "body_bytes", None)
        return self.setting("body_bytes")

    def _fits(self, size: int, most: int | None) -> bool:
        """Whether a body of *size* may come; else it is answered with 413."""
        if most is None or size <= most:
            return True
        if not self.output.over:
            self.output.deny(413, too_large(most), closing(self._scope))
            self.slot.request_stop(f"its body has more than {most} bytes")
        return False

    def _expect(self) -> None:
        """Have the deadline of the answer begin anew: a part of the body has come."""
        seconds: float | None = self.setting("answer_seconds")
        if seconds is not None:
            self._due = trio.current_time() + seconds

    def _ended(self, code: int, reason: str) -> None:
        # Nothing else where it was answered: servers tell that as an end, too, and no client left.
        if self.output.peer_ended(code, reason):
            self.slot.peer_ended(code, reason)

    # -- what goes out ---------------------------------------------------------------------------

    async def _write(self, send: Send, scope: trio.CancelScope) -> None:
        output = self.output
        with scope:
            while True:
                item = output.take()
                if item is None:
                    if output.over:
                        break
                    await output.parker.park()
                    continue
                event, size = item
                began = trio.current_time()
                try:
                    await send(event)
                except Exception as error:  # noqa: BLE001 - whatever it is, nothing reaches the client
                    if not isinstance(error, OSError):  # that is how ASGI tells of a client gone
                        self.slot.note("connection.failed", error=f"send failed: {error!r}")
                    if trio.current_time() - began >= output.stall_seconds:
                        output.give_up()  # the server was first to lose patience
                    self._ended(GONE, LEFT)
                    break
                output.sent(size)
        self._flushed.set()

    async def _flush(self, exit_: Exit) -> bool:
        """
        Wait until all is out; False if the client takes nothing any more. A checkpoint.

        As long as it takes something it has its time, but not at a shutdown. One that has left,
        or was dropped, has none: nothing waits for it.
        """
        options, output = self._root.options, self.output
        with self._patience as patience:
            if output.code == SLOW:
                await trio.sleep(0)
                return self._flushed.is_set()
            if output.code == GONE or (exit_.kind is ExitKind.STOPPED and not exit_.own):
                patience.deadline = trio.current_time() + options.close_seconds
            while not self._flushed.is_set():
                seen = output.progress
                with trio.move_on_after(options.output_stall_seconds):
                    await self._flushed.wait()
                if not self._flushed.is_set() and output.progress == seen:
                    break
        return self._flushed.is_set()


def too_large(most: int) -> str:
    """Return what the client of a body that has more than *most* bytes is told."""
    return f"A body of more than {most} bytes is not taken here.\n"


def closing(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the header that says that no request will be taken behind a body that is not read."""
    return [(b"connection", b"close")] if scope["http_version"].startswith("1") else []


def declared_length(scope: Scope) -> int:
    """Return the length that the head of the request declares; 0 if it does not."""
    for name, value in cast("Iterable[tuple[bytes, bytes]]", scope["headers"]):
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def expects_continue(scope: Scope) -> bool:
    """Say whether the client waits to be asked for the body."""
    headers = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)
