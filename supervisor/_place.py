# A slot as others see it: path, reference, mailbox, and what is put into them.
#
# Everything here may be called from any thread and outlives every incarnation. What
# the slot's own task does with it is in _slot.py.

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

import trio

from ..actors import (
    Actor,
    ActorNotFound,
    ActorRef,
    ActorStopped,
    Disconnected,
    MailboxFull,
    Overflow,
    PresenceDiff,
)
from ..actors._inquiry import Inquiry
from ..actors._mailbox import Mailbox
from ..actors._messages import Call, Cast, InFrame, Stop, Tick
from ..actors._outgoing_port import OutgoingPort
from ..actors._overflow import Put
from ..actors._ports import Connection, FollowPort, GroupsPort, MonitorsPort, RegistryPort
from ..actors._presences_port import PresencesPort
from ..actors._tracing import Told
from ..actors.consumers import Frame
from ._dead_letters import ENDED
from ._events import Event
from ._monitors import Fault

if TYPE_CHECKING:
    from ..actors._life import Life
    from ._root import Root


class Place:
    """The lasting part of a slot."""

    # A slot has more attributes than share their names with those of others; in a table of its
    # own they would take 2 KiB.
    __slots__ = (
        "_at_end", "_overflow", "_root", "actor", "connection", "end", "epoch", "fault", "loop",
        "mailbox", "path", "ref",
    )  # fmt: skip

    _life: "Life | None"

    mailbox_kind: ClassVar[type[Mailbox]] = Mailbox
    ref_kind: ClassVar[type[ActorRef]] = ActorRef

    def __init__(
        self, root: "Root", path: str, actor: type[Actor], connection: Connection | None
    ) -> None:
        options = root.options
        self.path = path
        self.actor = actor
        self.epoch: int = 1
        self.end: str | None = None
        self.fault: Fault | None = None
        """What it failed with, if that has ended it."""
        self.loop = root.loop
        self.mailbox = self.mailbox_kind(
            root.loop,
            capacity=actor.mailbox_capacity or options.mailbox_capacity,
            read_ahead_messages=options.read_ahead_messages,
            read_ahead_bytes=options.read_ahead_bytes,
        )
        self.ref = self.ref_kind(self)
        self._root = root
        self.connection = connection
        """The peer's connection; None for a resident."""
        self._overflow = Overflow(actor.overflow)
        self._at_end: tuple[Callable[[], object], ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether the loop is to look at something before it takes a message."""
        if self.suspended_until is not None or self.mailbox.high:
            return True
        return self._root.traces.of(self.path) is not None or self.inquiry() is not None

    @property
    def trace(self) -> FollowPort | None:
        """Who follows what it handles: the operator's trace that it is part of, if there is one."""
        trace = self._root.traces.of(self.path)
        return None if trace is None else Told(trace)

    def outgoing(self) -> OutgoingPort | None:
        """Return who follows an attempt to connect elsewhere: nobody. Any thread."""
        return None

    @property
    def suspended_until(self) -> float | None:
        """When an operator's suspension ends; None without one."""
        return self._root.suspensions.until(self.path)

    def end_suspension(self) -> None:
        """Take note that the suspension is over."""
        if self._root.suspensions.forget(self.path):
            self.note("slot.unsuspended")

    def inquiry(self) -> Inquiry | None:
        """Return the question after the actor's state that is to be answered next."""
        return self._root.inquiries.next(self)

    @property
    def groups(self) -> GroupsPort:
        """The groups of the process."""
        return self._root.groups

    @property
    def presences(self) -> PresencesPort:
        """Who is present."""
        return self._root.presences

    @property
    def registry(self) -> RegistryPort:
        """The registry of the process."""
        return self._root.registry

    @property
    def monitors(self) -> MonitorsPort:
        """Where ends are told."""
        return self._root.monitors

    def find(self, path: str) -> ActorRef:
        """Return the reference of the actor at *path*."""
        return self._root.find(path)

    def cast(self, path: str, message: object) -> None:
        """Append *message* to the mailbox of the actor at *path*, else a dead letter."""
        try:
            ref = self._root.find(path)
        except ActorNotFound:
            self._root.dead_letters.add(path, message, f"{ENDED}, or never was")
        else:
            ref.cast(message)

    def note(self, kind: str, *, epoch: int | None = None, **facts: object) -> None:
        """Put one event on the stream."""
        self._root.events.emit(kind, self.path, self.epoch if epoch is None else epoch, **facts)

    def dead_letter(self, message: object, reason: str, sender: str = "") -> None:
        """Record a message that nobody handled."""
        self._root.dead_letters.add(self.path, message, reason, self.epoch, sender)

    def request_stop(
        self, reason: str, code: int = 1000, text: str = "", *, patient: bool = False
    ) -> None:
        """
        Ask the slot to end. Any thread; returns at once.

        Its running handler may go on for `shutdown_seconds`; *patient*, which is for
        what the handler itself asks, as long as it likes.
        """
        stop = Stop(reason, code, text, own=patient)
        if patient:
            self.mailbox.put_control(stop)
        elif self.loop.is_here():
            self._request_stop(stop)
        else:
            with suppress(trio.RunFinishedError):  # then it has ended already
                self.loop.call_soon(self._request_stop, stop)

    def _request_stop(self, stop: Stop) -> None:
        self.mailbox.put_control(stop)

    def call_at_end(self, function: Callable[[], object]) -> None:
        """Call *function*, quick and not raising, once the slot takes no more messages."""
        self._at_end += (function,)
        if self.mailbox.closed:  # in this very moment
            self._end_all()

    # -- what groups and senders do to it ------------------------------------------------

    def deliver_frame(self, frame: Frame) -> bool:
        """Put a group's frame to the socket; True if it is dropped. Any thread, never raises."""
        if self.connection is None:
            return True
        try:
            self.connection.send(frame)
        except Disconnected:
            return True  # it leaves its groups in a moment
        except RuntimeError:
            self.dead_letter(frame, "a group's frame for a socket that is not accepted yet")
            return True
        return False

    def deliver_message(self, message: object) -> bool:
        """Put a group's message into the mailbox; True if it is dropped. Any thread, no raise."""
        try:
            return not self.ref.cast(message)
        except MailboxFull:
            what = "news of presence" if isinstance(message, PresenceDiff) else "a group's message"
            self.dead_letter(message, f"{what} for a full mailbox")
            return True

    def waits_when_full(self) -> bool:
        """Whether a sender waits for room."""
        return self._overflow is Overflow.WAIT

    def risen(self) -> None:
        """Tell that the mailbox is high, and have the loop look when it is not. Any thread."""
        life, box = self._life, self.mailbox
        facts: dict[str, object] = {"depth": box.messages, "capacity": box.capacity}
        if life is not None and life.busy_with:
            facts["handling"] = life.busy_with
        self.note("mailbox.high", epoch=self.epoch, **facts)
        if self.loop.is_here():
            self.flag()
        else:
            with suppress(trio.RunFinishedError):
                self.loop.call_soon(self.flag)

    def eased(self) -> None:
        """Tell that the mailbox is normal again."""
        box = self.mailbox
        self.note("mailbox.normal", depth=box.messages, capacity=box.capacity)

    def flag(self) -> None:
        """Have the loop look at something before it takes a message. Loop thread only."""
        if self._life is not None:
            self._life.flagged = True

    def overflow(self, item: Cast | Call) -> bool:
        """Apply the overflow policy to *item*; whether it was taken after all."""
        capacity = self.mailbox.capacity
        self.note("mailbox.overflow", policy=str(self._overflow), capacity=capacity)
        if self._overflow is Overflow.ERROR:
            raise MailboxFull(self.path, capacity)
        if self._overflow is Overflow.DROP_OLDEST:
            put, oldest = self.mailbox.put_over_oldest(item)
            if type(oldest) is Call and self.loop.is_here():
                oldest.reply.fail(MailboxFull(self.path, capacity))
            elif type(oldest) is Call:  # the sender's thread can't wake that caller
                self.loop.call_soon(oldest.reply.fail, MailboxFull(self.path, capacity))
            if oldest is not None:
                self.dead_letter(oldest.message, "dropped from a full mailbox, as the oldest")
            if put is Put.TAKEN:
                return True
            self.dead_letter(item.message, f"{ENDED} ({self.end})")  # in this very moment
            return False
        if self._overflow is Overflow.CLOSE:
            self.request_stop("mailbox full", 1013)
        self.dead_letter(item.message, f"the mailbox is full ({capacity} messages)")
        return False

    def expects(self, error: BaseException) -> bool:
        """Say whether *error* is part of its life, so that one line tells enough of it."""
        return isinstance(error, self.actor.expected_errors)

    def past(self) -> tuple[Event, ...]:
        """Return its last events, as far as the stream remembers them. Any thread."""
        most = self._root.options.crash_events
        return tuple(self._root.events.recent(most, path=self.path)) if most else ()

    # -- its end -----------------------------------------------------------------------------

    def _empty(self) -> None:
        left = self.mailbox.close()
        self._root.groups.leave_all(self)  # behind the close: see Actor.join()
        self._root.presences.release(self)
        self._root.registry.release(self)
        self._root.inquiries.end(self)
        self._end_all()
        for item in left:
            self._leave_behind(item)

    def _end_all(self) -> None:
        functions, self._at_end = self._at_end, ()
        for function in functions:
            function()

    def _leave_behind(self, item: object) -> None:
        if type(item) is Call and item.reply.abandoned:
            self.note("call.skipped", message=item.summary())
        elif type(item) is Call:
            item.reply.fail(ActorStopped(self.path, self.end or ""))
            self.dead_letter(item.message, f"{ENDED} ({self.end})", item.caller)
        elif type(item) is Cast:
            self.dead_letter(item.message, f"{ENDED} ({self.end})")
        elif type(item) is InFrame:
            self.dead_letter(item, f"{ENDED} ({self.end})")
        elif type(item) is Tick:
            item.timer.taken()
