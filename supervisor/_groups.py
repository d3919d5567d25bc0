# Groups: many members under one name, and the fastest way to reach them all.
#
# Sending text or bytes is the hot path of the whole server. The frame is encoded
# once, the members are a tuple made when membership last changed, and the loop does
# one method call a member; no actor is woken and nothing is allocated per member.
#
# Invariants, each with a test of that name in tests/supervisor/test_groups.py:
#   JOINED HEARS  a send that begins after join() returned reaches the member.
#   LEFT IS OVER  a send that begins after leave() returned does not; one under way
#                 in another thread may still hand over its frame, and members take
#                 that as they take any late work: it is inert.
#   NO LOCK       members are delivered to outside the lock, so one that sends to a
#                 group while it takes a message cannot deadlock.
#   LOUD GAP      what may have been missed from other processes is an event for
#                 each group.
#   SUBSCRIBED    the engine is subscribed to a group exactly while it has members.
#   IN ORDER      who monitors a group hears of each change of its members behind those that he
#                 was handed, once, in their order, and before the change returns.
#
# Membership belongs to the slot and to this process: a restart does not touch it,
# and nothing expires.

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Literal, NamedTuple, Protocol

from ..actors.consumers._frames import Frame
from ._engine import Engine
from ._events import EventStream
from ._payload import one_of
from ._telling import Telling, call, drop

_TOPIC = "group:"
_LONGEST = 200


class Member(Protocol):
    """
    What a group delivers to: a slot. Both methods are thread-safe and never raise, and return
    True where what they were given is dropped.
    """

    @property
    def path(self) -> str:
        """Where the member is in the tree."""
        ...

    def deliver_frame(self, frame: Frame) -> bool | None:
        """Write *frame* to the socket, or drop it if there is none."""
        ...

    def deliver_message(self, message: object) -> bool | None:
        """Put *message* into the mailbox."""
        ...


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What who monitors a group is told: a member has come, or has gone."""

    kind: Literal["joined", "left"]
    """Which of the two."""
    group: str
    """The group's name."""
    path: str
    """Where in the tree the member is, or was."""


GroupListener = Callable[[GroupChange], object]


class GroupTally(NamedTuple):
    """What went through a group in this process since it has members."""

    members: int
    """How many it has."""
    sent: int
    """What was sent to it, here or in another process."""
    delivered: int
    """How often a member was handed it."""
    dropped: int
    """How often one had no use for it: no socket, or one that ends; a full mailbox."""


class _Group:
    __slots__ = ("delivered", "dropped", "joined", "sent", "snapshot")

    def __init__(self) -> None:
        self.joined: dict[Member, None] = {}  # a set that keeps the order
        self.snapshot: tuple[Member, ...] | None = ()
        self.sent = self.delivered = self.dropped = 0


class Groups:
    """
    The groups of this process, joined with those of others by an engine.

    All methods may be called from any thread; none is a checkpoint.

    Args:
        engine: What carries messages to the other processes.
        events: Where gaps are told.
    """

    def __init__(self, engine: Engine, events: EventStream) -> None:
        self._engine, self._events = engine, events
        self._groups: dict[str, _Group] = {}
        self._groups_of: dict[Member, dict[str, None]] = {}
        self._listeners: dict[str, list[list[GroupListener]]] = {}
        self._telling = Telling()
        self._sent = self._delivered = self._dropped = 0  # of those that are gone, too
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<Groups {len(self._groups)} groups, {len(self._groups_of)} members>"

    @property
    def count(self) -> int:
        """How many groups have members in this process."""
        return len(self._groups)

    def join(self, group: str, member: Member) -> None:
        """
        Make *member* one of *group*. Joining again changes nothing.

        Raises:
            TypeError: *group* is no string.
            ValueError: it is empty, longer than 200 characters, or no valid text.
        """
        refuse_bad_group(group)
        with self._lock:
            entry = self._groups.get(group)
            if entry is None:
                entry = self._groups[group] = _Group()
                self._engine.subscribe(_TOPIC + group)
            if member in entry.joined:
                return
            entry.joined[member] = None
            entry.snapshot = None
            self._groups_of.setdefault(member, {})[group] = None
            self._tell("joined", group, member)

    def leave(self, group: str, member: Member) -> None:
        """
        Take *member* out of *group*. Without membership it does nothing.

        Raises:
            TypeError: *group* is no string.
            ValueError: it cannot be a group's name.
        """
        refuse_bad_group(group)
        with self._lock:
            self._remove(group, member)
            mine = self._groups_of.get(member)
            if mine is not None:
                mine.pop(group, None)
                if not mine:
                    del self._groups_of[member]

    def leave_all(self, member: Member) -> None:
        """
        Take *member* out of every group, as when its slot ends.
        """
        with self._lock:
            for group in self._groups_of.pop(member, ()):
                self._remove(group, member)

    def _remove(self, group: str, member: Member) -> None:
        entry = self._groups.get(group)
        if entry is None or member not in entry.joined:
            return
        del entry.joined[member]
        entry.snapshot = None
        if not entry.joined:
            del self._groups[group]
            self._engine.unsubscribe(_TOPIC + group)
        self._tell("left", group, member)

    def send(
        self,
        group: str,
        message: object = None,
        *,
        text: str | None = None,
        bytes: bytes | None = None,
        exclude: Member | None = None,
    ) -> int:
        """
        Send to every member of *group*, here and in other processes.

        Exactly one of *message*, *text* and *bytes* is given. Returns at once:
        slow members are the business of their own output and mailbox limits.

        Args:
            group: The group's name; one without members is no error.
            message: A dict with a "type", or a typed message, for the members'
                declared handlers. The sender must not change it afterwards.
            text: A text frame, written straight to the members' sockets.
            bytes: A binary frame, likewise.
            exclude: A member that is left out, as a rule the sender.

        Returns:
            How many members of this process it was handed to.

        Raises:
            TypeError: none or several contents, one of the wrong type, or a message
                that cannot cross to other processes. Nobody has got anything.
            ValueError: *group* cannot be a group's name.
        """
        payload = one_of(message, text, bytes)
        refuse_bad_group(group)
        # The engine first, so that its refusal of a payload comes before any effect.
        self._engine.publish(_TOPIC + group, payload)
        return self._hand_on(group, payload, exclude)

    def members(self, group: str) -> tuple[Member, ...]:
        """
        Return the members of *group* in this process, in the order they joined.
        """
        return self._members(group)

    def _members(self, group: str) -> tuple[Member, ...]:
        entry = self._groups.get(group)
        if entry is None:
            return ()
        members = entry.snapshot
        if members is None:
            # Under the lock: a tuple stored after a join that it lacks would hide
            # the new member until the next change.
            with self._lock:
                members = entry.snapshot = tuple(entry.joined)
        return members

    def _hand_on(self, group: str, payload: object, exclude: Member | None) -> int:
        sent, dropped = _deliver(self._members(group), payload, exclude)
        with self._lock:
            taken = sent - dropped
            self._sent += 1
            self._delivered += taken
            entry = self._groups.get(group)
            if entry is not None:
                entry.sent += 1
                entry.delivered += taken
            if dropped:
                self._dropped += dropped
                if entry is not None:
                    entry.dropped += dropped
        return sent

    def monitor(
        self, group: str, listener: GroupListener
    ) -> tuple[tuple[str, ...], Callable[[], None]]:
        """
        Return who is in *group*, and call *listener* with each :class:`GroupChange` from now on.

        Nothing can come between the two. For the members of this process; a restart is no change.
        The listener is called in the thread that makes the change, before it returns, and under
        the groups' lock: it must be quick and wait for nothing, least of all another thread. What
        it raises is logged and goes no further. It is called until the monitor is ended, whatever
        becomes of who began it: an actor's next incarnation would begin a second one. After OTP's
        ``pg:monitor``.

        Returns:
            The paths of the members, in the order they joined; and a function that ends the
            monitor, and does nothing when it is called again.

        Raises:
            TypeError: *group* is no string.
            ValueError: it cannot be a group's name.
        """
        refuse_bad_group(group)
        entry = [listener]
        with self._lock:
            self._listeners.setdefault(group, []).append(entry)
            members = tuple(member.path for member in self._members(group))

        def stop() -> None:
            with self._lock:
                entries = self._listeners.get(group, [])
                drop(entries, entry)
                if not entries:
                    self._listeners.pop(group, None)

        return members, stop

    def _tell(self, kind: Literal["joined", "left"], group: str, member: Member) -> None:
        listeners = self._listeners.get(group)
        if listeners is None:  # as nearly always
            return
        entries, change = tuple(listeners), GroupChange(kind, group, member.path)

        def tell() -> None:
            for entry in entries:
                if entry:
                    call(entry[0], change, f"the group {group!r}")

        self._telling.add(tell)
        self._telling.all()

    def names(self) -> dict[str, int]:
        """
        Return each group with its number of members in this process.
        """
        with self._lock:
            return {name: len(entry.joined) for name, entry in self._groups.items()}

    def listed(self) -> list[str]:
        """
        Return the names of all groups, in no order that means anything.
        """
        with self._lock:
            return list(self._groups)

    def tally(self, group: str) -> GroupTally | None:
        """
        Return what went through *group* since it has members; None if it has none.
        """
        with self._lock:
            entry = self._groups.get(group)
            if entry is None:
                return None
            return GroupTally(len(entry.joined), entry.sent, entry.delivered, entry.dropped)

    def totals(self) -> tuple[int, int, int]:
        """
        Return how much was sent to all groups there ever were, delivered, and dropped.
        """
        with self._lock:
            return self._sent, self._delivered, self._dropped

    def groups_of(self, member: Member) -> tuple[str, ...]:
        """
        Name the groups of *member*, in the order it joined them.
        """
        with self._lock:
            return tuple(self._groups_of.get(member, ()))

    def deliver(self, topic: str, payload: object) -> None:
        """
        Hand on what another process sent; called by the engine. Never raises.
        """
        group = topic.removeprefix(_TOPIC)
        if group != topic:
            self._hand_on(group, payload, None)

    def gap(self, reason: str) -> None:
        """
        Tell every group that it may have missed messages; called by the engine.
        """
        groups = self.names()
        for group, members in groups.items():
            path = f"/groups/{group}"
            self._events.emit("group.gap", path, group=group, reason=reason, members=members)


def _deliver(
    members: tuple[Member, ...], payload: object, exclude: Member | None
) -> tuple[int, int]:
    """Hand *payload* to all *members*; return to how many, and how many of them dropped it."""
    # A str is a text frame and bytes a binary one, here as on the way to other
    # processes; everything else is a message.
    sent, dropped = len(members), 0
    if isinstance(payload, str | bytes):
        frame = Frame.of_text(payload) if isinstance(payload, str) else Frame.of_bytes(payload)
        for member in members:
            if member is exclude:
                sent -= 1
            elif member.deliver_frame(frame):
                dropped += 1
    else:
        for member in members:
            if member is exclude:
                sent -= 1
            elif member.deliver_message(payload):
                dropped += 1
    return sent, dropped


def refuse_bad_group(group: object, what: str = "a group's name") -> None:
    """
    Refuse *group* unless it can be a group's name, or *what*.

    Raises:
        TypeError: it is no string.
        ValueError: it is empty, longer than 200 characters, or no valid text.
    """
    if not isinstance(group, str):
        raise TypeError(f"{what} must be a string. Got: {group!r:.100}")
    if not 1 <= len(group) <= _LONGEST:
        raise ValueError(
            f"{what} must have 1 to {_LONGEST} characters. Got: {len(group)}: {group!r:.100}"
        )
    if not group.isascii():
        try:
            group.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{what} must be valid text. Got: {group!r:.100}") from None
