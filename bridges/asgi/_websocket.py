# One WebSocket over plain ASGI: its slot, a reader and a writer.
#
# Three tasks, one more than DESIGN 7 wants, because an ASGI `send` is a coroutine:
# what a handler sent must go out even if it waits for something else next. Where the
# server can be written to directly (_direct.py) there are two.
#
# The writer is shielded as the slot's task is (_attached.py): the close still has to go out.

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import trio

from ...actors import Actor
from ...actors._exits import ExitKind
from ...actors._messages import InFrame
from ...actors._subprotocol import chosen
from ...supervisor import Root
from ..hypercorn._drop import drop, given_up
from ..hypercorn._peer_close import PeerClose
from ..websocket._close import TOO_BIG, Violation
from ._attached import Attached
from ._counted import Place, serve_counted
from ._direct import DirectConnection, KeptConnection
from ._foreign import take_place
from ._keeper import Keeper
from ._output import denial
from ._transport import transport_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

ANSWERED = "greenroom.answered"
"""Where the status stands in a scope that was answered, and by nobody who has a slot."""

_TURNS = 5  # of the loop without input, after which a server has handed over all it read
_RETRY_AFTER: list[tuple[bytes, bytes]] = [(b"retry-after", b"5")]
_LATER = (429, 503)


def serve_websocket(
    root: Root,
    route: str,
    actor: type[Actor],
    kwargs: dict[str, Any],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> Awaitable[None]:
    """
    Serve one WebSocket with a slot of *actor*, until both are over: await what is returned.

    A checkpoint. A cancellation becomes a stop request: `disconnect` runs, the
    socket closes with 1012, then the cancellation goes on.
    """
    take_place(scope)
    refusal = root.connections.refusal()
    if refusal is not None:
        return _turn_away(root, route, scope, receive, send, refusal)
    place = (root, route, actor, kwargs, scope)
    limits = root.connections.limits_of(actor)
    if limits.subprotocol_required and chosen(limits.subprotocols, scope) is None:
        wanted = ", ".join(limits.subprotocols)
        refusal = f"none of the subprotocols spoken here was offered: {wanted}"
        return _turn_away(root, route, scope, receive, send, refusal, 400)
    if limits.counted:
        return serve_counted(place, limits, receive, send, _serve, _turn_away)
    return _serve(place, receive, send)


def _serve(place: Place, receive: Receive, send: Send) -> Awaitable[None]:
    """Serve what may be served; its coroutine is nobody's but its own."""
    transport = transport_of(receive, send)
    if transport is None:
        return _serve_plain(place, receive, send)
    limits = place[0].connections.limits_of(place[2])
    kind = KeptConnection if limits.watched else DirectConnection
    return kind(transport, *place).run()


async def _serve_plain(place: Place, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    connection = _Connection(*place)
    try:
        await connection.run(receive, send)
    finally:
        connection.detach()


async def _turn_away(
    root: Root,
    route: str,
    scope: Scope,
    receive: Receive,
    send: Send,
    refusal: str,
    status: int = 503,
) -> None:
    await receive()  # websocket.connect
    await turn_away(root, route, scope, send, refusal, status)


async def turn_away(
    root: Root, route: str, scope: Scope, send: Send, refusal: str, status: int = 503
) -> None:
    """
    Refuse with *status* what can't be taken, or not now, for the reason of *refusal*.

    A checkpoint.
    """
    path = f"/connections/{route}"
    facts = {"status": status} if status != 503 else {}
    root.events.emit("connection.refused", path, reason=refusal, url=scope["path"], **facts)
    headers = _RETRY_AFTER if status in _LATER else []
    await refuse(scope, send, status, f"{refusal}\n", headers)


async def refuse(
    scope: Scope,
    send: Send,
    status: int,
    text: str,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """Refuse a handshake: *status* where the server can say so, 403 elsewhere. A checkpoint."""
    scope[ANSWERED] = status
    for event in denial(scope, status, text, headers or ()):
        await send(event)


class _Connection(Attached):
    """The three tasks of one WebSocket."""

    __slots__ = ("_flushed", "_keeper", "_peer_close", "_read_all", "_useless")

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self._peer_close = PeerClose()
        self._keeper: Keeper | None = None
        if self._limits.watched:
            self._keeper = Keeper(self._root, self._limits, self.slot, self.output, self.violated)
        self._flushed, self._read_all = trio.Event(), trio.Event()
        self._useless = 0  # frames that came behind our close, or behind the peer's end

    def detach(self) -> None:
        """Take it out of the tree: its connection is over."""
        if self._keeper is not None:
            self._keeper.end()
        super().detach()

    async def run(self, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            reading, writing = trio.CancelScope(), trio.CancelScope(shield=True)
            path = self.slot.path
            nursery.start_soon(self._read_with, receive, reading, name=f"{path} reader")
            nursery.start_soon(self._write, send, writing, name=f"{path} writer")
            try:
                exit_ = await self.slot.run(nursery)
            except BaseException as error:  # noqa: ASYNC103, BLE001 - see _fault()
                exit_ = self._fault(error)
            # The close is in the output. Wait for it to go out and for the peer's half:
            # a server may leak a connection whose application left input unread.
            seconds = self._root.options.close_seconds
            with trio.move_on_after(seconds, shield=True) as patience:
                await self._flushed.wait()
            if patience.cancelled_caught:
                self.slot.note("output.slow", code=self.output.code, reset=drop(send))
            try:
                if self.output.opened:  # a refused peer has no half: a server ends it after us
                    with trio.move_on_after(seconds):
                        await self._read_all.wait()
                    if self._useless and not self._read_all.is_set():
                        drop(send)  # it floods a socket that is closed
                    await self._until_drained()
            finally:  # also when cancelled: the writer is shielded, nobody else ends it
                reading.cancel()
                writing.cancel()  # without effect where the server shields its socket's writes
        if exit_.kind is ExitKind.FATAL:
            self._root.fatal(self.slot.path)
        del exit_  # its error's traceback may hold this frame: no cycle

    async def _read_with(self, receive: Receive, scope: trio.CancelScope) -> None:
        """Tell the slot what *receive* says, until *scope* is cancelled."""
        try:
            with scope:
                await self._read(receive)
        except trio.Cancelled:
            self._cancelled()  # not by `scope`: the server shuts down
            raise
        except Exception as error:  # noqa: BLE001 - the server's, and the peer is gone with it
            self.slot.note("connection.failed", error=f"receive failed: {error!r}")
            self._ended(1006, "")
        finally:
            self._read_all.set()

    async def _read(self, receive: Receive) -> None:
        code, reason = await self._read_frames(receive)
        self._read_all.set()
        self._ended(code, reason)
        with suppress(Exception):  # some servers raise behind the end that they have told
            while True:  # see _until_drained()
                await receive()
                self._useless += 1

    async def _until_drained(self) -> None:
        """
        Wait until nothing comes any more that nobody wants. A checkpoint.

        hypercorn may have read frames that it hands over only now, one at each turn of
        the loop; the task that does so would wait for ever if nobody took them.
        """
        seen = -1
        while seen != self._useless:
            seen = self._useless
            for _ in range(_TURNS):
                await trio.sleep(0)

    async def _read_frames(self, receive: Receive) -> tuple[int, str]:
        mailbox, output = self.slot.mailbox, self.output
        keeper, most = self._keeper, self._limits.message_bytes
        while True:
            event = await receive()
            if event["type"] == "websocket.receive":
                if output.over:
                    self._useless += 1  # the peer had not seen our close yet
                    continue
                frame = InFrame(event.get("text"), event.get("bytes"))
                if frame.size > most:
                    self.violated(Violation(TOO_BIG, f"message over {most} bytes"))
                    continue
                if not mailbox.put_frames((frame,)):
                    await mailbox.wait_read_room()
                if keeper is not None and not keeper.took(1, frame.size):
                    await keeper.wait_room()
            elif event["type"] == "websocket.disconnect":
                return self._end_of(event)

    def _end_of(self, event: MutableMapping[str, Any]) -> tuple[int, str]:
        """Return the code and the reason of the peer's end, as far as they can be known."""
        return self._peer_close.instead_of(event.get("code", 1005), event.get("reason") or "")

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
                if not size and event["type"] == "websocket.accept":
                    self._peer_close.listen(send)
                try:
                    await send(event)
                except Exception as error:  # noqa: BLE001 - whatever it is, the peer is gone
                    self.slot.note("connection.failed", error=f"send failed: {error!r}")
                    self._ended(1006, "send failed")
                    break
                output.sent(size)
                if not size and given_up(send):  # not a frame: a handshake's answer, or a close
                    self._ended(*self._peer_close.instead_of(1006, "given up by the server"))
                    self._read_all.set()  # the reader waits in vain
        self._flushed.set()
