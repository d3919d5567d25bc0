"""What the layers above fill in: protocols only."""

# The actor layer decides what one incarnation does. Where it lives, who restarts
# it, how frames reach a socket and how groups are kept is handed in through
# these, so that nothing here imports a supervisor, a server or Django.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._inquiry import Inquiry
    from ._life import Life
    from ._lowlevel import LoopThread
    from ._mailbox import Mailbox
    from ._messages import Item, Opening
    from ._outgoing_port import OutgoingPort
    from ._presences_port import PresencesPort
    from ._ref import ActorRef
    from ._workers import Workers
    from .consumers._frames import Frame


class Connection(Protocol):
    """One peer's connection, as a consumer sees it. Every method from any thread."""

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope."""
        ...

    @property
    def opening(self) -> Opening:
        """What the handler that opens it is given."""
        ...

    @property
    def over(self) -> bool:
        """Whether the peer has gone or the connection was closed."""
        ...

    @property
    def reason(self) -> str:
        """Why it is over, in the words of whoever ended it; empty if it is not."""
        ...

    @property
    def decided(self) -> bool:
        """Whether the handshake was accepted or refused."""
        ...

    @property
    def full(self) -> bool:
        """Whether more output waits than a sender should add to."""
        ...

    def accept(self, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Accept the handshake."""
        ...

    def refuse(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Refuse the handshake with an HTTP response; False when the connection was over."""
        ...

    def send_text(self, text: str) -> bool:
        """Append a text frame; as :meth:`send` does, which takes longer."""
        ...

    def send(self, frame: Frame) -> bool:
        """Append *frame*; whether it is full now. Raises Disconnected when it is over."""
        ...

    def close(self, code: int, reason: str) -> bool:
        """Append the close; False when it was closed already."""
        ...

    @property
    def stall_seconds(self) -> float:
        """How long a sender waits for room before the peer is given up."""
        ...

    def give_up(self) -> None:
        """Drop the peer, which has made no room, unless it has by now."""
        ...

    def fail(self) -> None:
        """Say that opening has failed: a denial with 500, or a close with 1011."""
        ...

    def facts(self) -> Mapping[str, object]:
        """Details for the tree, by name."""
        ...

    def traffic(self) -> Mapping[str, object]:
        """
        What it is, and what has gone out, by name, for operators.

        ``transport`` and, where they are known, ``subprotocol``, ``frames_out``, ``bytes_out``,
        ``output_bytes`` (what waits) and ``heard``: seconds since the peer was heard of.
        """
        ...

    async def wait_room(self) -> None:
        """Wait on trio until the output is not full, or over."""
        ...

    def on_room(self, wake: Callable[[], object]) -> None:
        """Call *wake* once, from any thread, when the output is not full, or over."""
        ...


IDENTITY = "greenroom.identity"
"""Where an :class:`Identity` stands in a connection's scope, if there is one."""


class Identity(Protocol):
    """Whose connection it is. Its methods block, and are called in worker threads only."""

    def load_user(self, scope: Any, *, fresh: bool) -> Any:
        """Return the user of the connection with *scope*."""
        ...

    def load_session(self) -> Any:
        """Return the session, read."""
        ...

    def save(self) -> None:
        """Save the session."""
        ...

    def login(self, scope: Any, user: Any, backend: str | None) -> None:
        """Make *user* the one of the session, and of *scope*."""
        ...

    def logout(self, scope: Any) -> None:
        """Flush the session; *scope* has no user any more."""
        ...

    def accept_headers(self) -> list[tuple[bytes, bytes]]:
        """Return what the browser is told at the handshake. Any thread; on trio no query."""
        ...

    def attach(self, slot: Any) -> None:
        """Take note of the slot that serves the connection. Loop thread only."""
        ...

    def detach(self) -> None:
        """Take note that the connection is over. Loop thread only."""
        ...

    def facts(self) -> Mapping[str, object]:
        """Details for the tree, by name, without what is secret. Loop thread only."""
        ...


class GroupsPort(Protocol):
    """The groups of the process, as an actor uses them."""

    def join(self, group: str, member: Any) -> None:
        """Make *member* one of *group*."""
        ...

    def leave(self, group: str, member: Any) -> None:
        """End *member*'s part in *group*."""
        ...

    def send(
        self,
        group: str,
        message: object = None,
        *,
        text: str | None = None,
        bytes: bytes | None = None,
        exclude: Any = None,
    ) -> int:
        """Deliver to every member but *exclude*; return how many were reached."""
        ...

    def members(self, group: str) -> Sequence[Any]:
        """Return the members of *group* in this process, in the order in which they joined."""
        ...


class RegistryPort(Protocol):
    """The registry of the process, as an actor uses it. Every method from any thread."""

    def register(self, key: str, owner: Any, value: object, limit: int) -> None:
        """Make the unique name *key* *owner*'s."""
        ...

    def unregister(self, key: str, owner: Any) -> None:
        """Free *key*, if it is *owner*'s."""
        ...

    def update(self, key: str, owner: Any, function: Callable[[object], object]) -> object:
        """Make ``function(value)`` the value of *key*, which must be *owner*'s."""
        ...

    def find(self, key: str) -> ActorRef | None:
        """Return the living owner of *key*."""
        ...

    def enlist(self, key: str, owner: Any, value: object, limit: int) -> None:
        """List *owner* under *key* once more."""
        ...

    def delist(self, key: str, owner: Any) -> None:
        """End *owner*'s entries under *key*."""
        ...

    def release(self, owner: Any) -> None:
        """Free all that *owner* holds."""
        ...


class MonitorsPort(Protocol):
    """Where ends are told. Both methods from any thread."""

    def watch(self, target: Any, watcher: Any) -> None:
        """Tell *watcher* of the end of *target*, once; at once if it has ended."""
        ...

    def unwatch(self, target: Any, watcher: Any) -> None:
        """Tell *watcher* nothing more of *target*."""
        ...


class TracePort(Protocol):
    """Where an operator looks at what is handled. Any thread, never raises."""

    def handled(self, path: str, epoch: int, message: str, seconds: float, outcome: str) -> None:
        """Tell of a message that was handled."""
        ...


class FollowPort(Protocol):
    """Who follows what is handled. Any thread."""

    def around(self, life: Life, item: Item) -> AbstractContextManager[object]:
        """Return a block for the handler of *item*, which goes through what that raises."""
        ...


class Host(Protocol):
    """The slot an incarnation lives in."""

    path: str
    ref: ActorRef
    mailbox: Mailbox
    loop: LoopThread
    pool: Workers
    debug: bool
    batch_messages: int
    batch_seconds: float
    thread_batch_messages: int
    handshake_seconds: float
    shutdown_seconds: float
    connection: Connection | None

    @property
    def flagged(self) -> bool:
        """Whether the loop is to look before it takes anything: see :attr:`Life.flagged`."""
        ...

    @property
    def trace(self) -> FollowPort | None:
        """Who follows what is handled; None, as nearly always, if nobody does."""
        ...

    def outgoing(self) -> OutgoingPort | None:
        """Return who follows an attempt to connect; None, as nearly always, if nobody does."""
        ...

    def eased(self) -> None:
        """Take note that the mailbox is not high any more. Loop thread only."""
        ...

    @property
    def suspended_until(self) -> float | None:
        """When an operator's suspension ends, on trio's clock; None without one."""
        ...

    def end_suspension(self) -> None:
        """Take note that the suspension is over."""
        ...

    def inquiry(self) -> Inquiry | None:
        """Return the question after the actor's state that is to be answered next."""
        ...

    @property
    def groups(self) -> GroupsPort:
        """The groups of the process."""
        ...

    @property
    def presences(self) -> PresencesPort:
        """Who is present."""
        ...

    @property
    def registry(self) -> RegistryPort:
        """The registry of the process."""
        ...

    def find(self, path: str) -> ActorRef:
        """Return the reference of the actor at *path*, or raise ActorNotFound."""
        ...

    def cast(self, path: str, message: object) -> None:
        """Append *message* to the mailbox of the actor at *path*, if there is one."""
        ...

    def note(self, kind: str, *, epoch: int | None = None, **facts: object) -> None:
        """Put one event on the stream. Any thread."""
        ...

    def dead_letter(self, message: object, reason: str, sender: str = "") -> None:
        """Record a message that nobody handled. Any thread."""
        ...

    def report(self, error: BaseException, what: str) -> None:
        """Record an error that changes nothing any more. Any thread."""
        ...

    def resumed(self, error: Exception, what: str) -> None:
        """Record an error of a handler after which the incarnation goes on. Loop thread only."""
        ...

    def opened(self, life: Life) -> None:
        """Take note that *life* has begun and serves its mailbox."""
        ...

    def spawn(self, function: Callable[..., Awaitable[object]], *args: object, name: str) -> None:
        """Start a task beside the slot's own. Loop thread only."""
        ...

    def request_stop(
        self, reason: str, code: int = 1000, text: str = "", *, patient: bool = False
    ) -> None:
        """Ask the slot to end; *patient*, without a deadline for its handler. Any thread."""
        ...

    def call_at_end(self, function: Callable[[], object]) -> None:
        """Call *function* once the slot takes no messages any more. Loop thread only."""
        ...


class Target(Protocol):
    """What a reference points to."""

    path: str
    mailbox: Mailbox
    loop: LoopThread

    @property
    def end(self) -> str | None:
        """Why the actor has ended; None while it lives."""
        ...

    @property
    def monitors(self) -> MonitorsPort:
        """Where its end is told."""
        ...

    def risen(self) -> None:
        """Take note that the mailbox has become high. Any thread."""
        ...

    def overflow(self, item: Any) -> bool:
        """Apply the policy to an item for a full mailbox; whether it was taken after all."""
        ...

    def waits_when_full(self) -> bool:
        """Whether a sender waits for room, by the overflow policy."""
        ...

    def dead_letter(self, message: object, reason: str, sender: str = "") -> None:
        """Record a message that nobody handled. Any thread."""
        ...

    def request_stop(
        self, reason: str, code: int = 1000, text: str = "", *, patient: bool = False
    ) -> None:
        """Ask the slot to end; *patient*, without a deadline for its handler. Any thread."""
        ...
