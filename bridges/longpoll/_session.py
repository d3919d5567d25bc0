# One session: its slot in the tree, its output, and the requests that come for it.
#
# Who is shielded: the slot's task, which is one of the tree's own and no request's. A request
# that is cancelled, or whose client leaves, ends alone.

from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple

import trio

from ...actors._exits import Exit, ExitKind
from ...actors._messages import InFrame
from ...actors.consumers._long_poll import LongPollConsumer
from ...supervisor import Root
from ...supervisor._slot import Slot
from ..asgi._gate import identity_of
from ._inbox import Arrival, Inbox
from ._output import SLOW, LongPollOutput
from ._presence import Presence
from ._window import Window

_POSTS = 4  # requests with messages that may wait for one session's turn

Scope = MutableMapping[str, Any]


class Sent(NamedTuple):
    """A message of the client."""

    number: int
    text: str | None
    data: bytes | None


class Poll:
    """One request that waits for messages."""

    __slots__ = ("gone", "news", "superseded")

    def __init__(self) -> None:
        self.news = trio.Event()
        self.superseded = False
        self.gone = False
        """Whether its client has left."""

    def leave(self) -> None:
        """Take note that the client has left: nobody wants the answer."""
        self.gone = True
        self.news.set()


class TooManyPosts(Exception):
    """More requests bring messages at a time than are let wait."""


class Ahead(Exception):
    """A message's number is not the next one."""


class ConsumerBehind(Exception):
    """The consumer has not made room for a message in time."""


class Session:
    """
    One session from being asked for to its end.

    Args:
        root: The tree.
        route: The route's node in the tree.
        actor: The consumer class.
        kwargs: For its ``__init__``.
        scope: The ASGI scope of the request that opens it.
        on_end: Called when its slot has left the tree.
    """

    slot: Slot

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[LongPollConsumer],
        kwargs: dict[str, Any],
        scope: Scope,
        on_end: Callable[["Session"], object],
    ) -> None:
        self.actor = actor
        self.path: str = scope["path"]
        """The path of its URL: a token is of no use elsewhere."""
        client = scope.get("client")
        self.address: str = str(client[0]) if client else ""
        self.key = ""
        self.seal = b""
        self.bound = False
        """Whether its client had the cookie that it belongs to."""
        self.decided = trio.Event()
        """Set once the consumer has accepted or refused, or has ended."""
        self.ended_at: float | None = None
        self.inbox = Inbox()
        self.presence = Presence(trio.current_time(), actor.expiry_seconds)
        self._root, self._route, self._on_end = root, route, on_end
        self._turn = trio.Lock()
        window = Window(
            messages=actor.window_messages,
            size=actor.window_bytes,
            drop_oldest=actor.on_window_full == "drop_oldest",
        )
        self.output = LongPollOutput(
            scope,
            root.loop,
            window,
            stall_seconds=actor.expiry_seconds,
            on_news=self._news,
            on_slow=self._slow,
        )
        self.slot = root.connections.attach(route, actor, kwargs, self.output)
        self.output.path = self.slot.path
        self._identity = identity_of(scope)
        if self._identity is not None:
            self._identity.attach(self.slot)
        root.events.emit("connection.opened", self.slot.path, url=self.path)

    # -- its life -------------------------------------------------------------------------

    async def live(self) -> None:
        """Be the slot's task, until it has ended. Never raises; shielded."""
        root, slot = self._root, self.slot
        exit_: Exit | None = None
        try:
            with trio.CancelScope(shield=True):
                exit_ = await slot.run(root.tasks)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - a fault of ours: see asgi/_attached.py
            slot.abort(error)
            self.output.close(1011, "")
            exit_ = Exit(ExitKind.FATAL, "a fault in Greenroom itself", error)
        fatal = exit_ is not None and exit_.kind is ExitKind.FATAL
        del exit_  # its error's traceback may hold this frame: no cycle
        self.output.close(1011, "")  # it is by now; but no poll may wait for a slot that is gone
        self.ended_at = trio.current_time()
        if self._identity is not None:
            self._identity.detach()
        root.connections.detach(self._route, slot)
        root.events.emit("connection.closed", slot.path, code=self.output.code or 1006)
        self._news()
        self._on_end(self)
        if fatal:
            root.fatal(slot.path)

    @property
    def ended(self) -> bool:
        """Whether its slot is gone."""
        return self.ended_at is not None

    def leave(self, code: int, reason: str) -> None:
        """End it for the client, which has gone or wants no more, behind what it has sent."""
        if self.output.peer_ended(code, reason):
            self.slot.peer_ended(code, reason)
        else:  # its consumer has closed it, and a handler that ends with it may run on
            self.slot.peer_left()

    def expire(self) -> None:
        """End it, because no poll has come."""
        self.leave(1006, f"expired: no poll for {self.actor.expiry_seconds:g} s")

    def _slow(self, size: int) -> None:
        self.slot.note("output.slow", bytes=size, code=SLOW)
        self._root.loop.call_soon(self.slot.peer_ended, SLOW, "polls too slowly")

    def _news(self) -> None:
        if self.output.decided:
            self.decided.set()
        poll = self.presence.current
        if isinstance(poll, Poll) and (self.output.has_news or self.output.over):
            poll.news.set()

    # -- its requests ------------------------------------------------------------------------

    async def wait_for_news(self, poll: Poll, seconds: float) -> None:
        """
        Wait until there is something to answer *poll* with, at most *seconds*. A checkpoint.

        A poll that waits already is superseded. A cancellation leaves the session as it was.
        """
        before = self.presence.begin(poll)
        if isinstance(before, Poll):
            before.superseded = True
            before.news.set()
        self.output.polling = True
        try:
            self._news()
            with trio.move_on_after(seconds):
                await poll.news.wait()
        finally:
            self.presence.end(poll, trio.current_time())
            self.output.polling = self.presence.current is not None

    async def take(self, messages: list[Sent], carried: object = None) -> None:
        """
        Hand *messages* to the consumer, those that are new, in order. A checkpoint if it waits.

        They carry *carried*, unless it is None. What was handed on is in ``inbox.received``,
        whatever ends this.

        Raises:
            Ahead: One has a number that is not the next.
            ConsumerBehind: The consumer has not made room within ``poll_seconds``.
            TooManyPosts: Too many requests do this already.
        """
        if self._turn.statistics().tasks_waiting >= _POSTS:
            raise TooManyPosts
        with trio.move_on_after(self.actor.poll_seconds) as patience:
            async with self._turn:
                await self._take(messages, carried)
        if patience.cancelled_caught:
            raise ConsumerBehind

    async def _take(self, messages: list[Sent], carried: object) -> None:
        mailbox, inbox = self.slot.mailbox, self.inbox
        for number, text, data in messages:
            if self.output.over or mailbox.closed:
                return
            arrival = inbox.look(number)
            if arrival is Arrival.AHEAD:
                raise Ahead
            if arrival is Arrival.SEEN:
                continue
            while mailbox.read_room <= 0 and not mailbox.closed:
                await mailbox.wait_read_room()
            if self.output.over or mailbox.closed:
                return
            inbox.take(number)
            frame = InFrame(text, data)
            if carried is not None:
                frame.carried = carried
            mailbox.put_frames((frame,))
