"""What an actor has to do with others: late replies, monitors, names, and keys they share."""

# A part of Actor, in a file of its own. The names belong to the slot: they stand through
# restarts; the monitors to the incarnation. Everything may be called from a handler on trio or
# in a worker thread and takes effect at the call; nothing here is a checkpoint.

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from ._errors import UndeclaredMessage
from ._monitors import Down, Monitor, Restarted
from ._ref import ActorRef
from ._reply_later import DeferredReply, reply_later

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import Host


class Relations:
    """The part of an actor that has to do with others."""

    __slots__ = ()

    max_keys: ClassVar[int] = 100
    """Keys that a slot may hold in the registry, unique and shared ones together."""

    groups: ClassVar[Sequence[str]] = ()
    """
    Groups that it joins before ``connect``, or ``started``, and leaves at its end.

    A name, or a template of what the route captures: ``"room.{room}"``.
    """

    # -- groups -------------------------------------------------------------------------

    def group_members(self, group: str) -> tuple[ActorRef, ...]:
        """
        Return who is in *group* in this process, in the order in which they joined. Any thread.

        To send a message to one of them: ``self.cast(member, message)``.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        return tuple(member.ref for member in host.groups.members(group))

    # -- replies ------------------------------------------------------------------------

    def reply_later(self) -> DeferredReply:
        """
        Answer the call that is being handled later, by what this returns. Any thread.

        The handler returns None, and the actor handles what comes next; the caller waits on,
        as long as its timeout says. When this incarnation ends it is told so. A handler that
        raises has failed its call all the same. After OTP's ``noreply`` and ``reply``.

        Raises:
            TooManyReplies: As many are owed as the mailbox holds messages.
            RuntimeError: No call is being handled: another message is, or a hook or a background
                task runs; it was called before; or the call was put aside by :meth:`defer`.
            Stale: This incarnation is over.
        """
        return reply_later(self._bound())

    # -- monitors -----------------------------------------------------------------------

    def monitor(self, ref: ActorRef, *, incarnations: bool = False) -> Monitor:
        """
        Be told when the slot of *ref* has ended: by one :class:`Down`, for ``@handles(Down)``.

        At once, if it has ended already; a restart is no end. It takes its place in the mailbox
        behind what *ref* sent before, and does not count against the capacity. Monitoring the
        same reference again is the same monitor. It ends with this incarnation: ``started()`` is
        the place for what every incarnation watches. After OTP's monitors.

        Args:
            ref: Whom to monitor; in no other process.
            incarnations: Whether to be told of restarts as well, by a :class:`Restarted` each
                time a new incarnation serves.

        Raises:
            UndeclaredMessage: This class has no handler for what would come.
            ValueError: It is this actor itself, which has hooks for that.
            Stale: This incarnation is over.
        """
        life = self._acting()
        if not isinstance(ref, ActorRef):
            raise TypeError(f"monitor() takes a reference, such as self.find(path). Got: {ref!r}")
        if ref == life.host.ref:
            raise ValueError(
                "an actor can't monitor itself: write the hooks stopped(reason) and"
                f" restarted(reason). Got: {ref!r}"
            )
        path = ref.path
        self._need_handler(life, Down(ref, path, "", "stopped"))
        if incarnations:
            self._need_handler(life, Restarted(ref, path, 1))
        return life.tasks.monitor(ref, incarnations)

    def demonitor(self, monitor: Monitor) -> None:
        """
        Withdraw *monitor*: nothing of it is handled any more, not even what waits already.

        Again, or after its Down, is no error.

        Raises:
            Stale: This incarnation is over.
        """
        self._acting()
        monitor.cancel()

    # -- names that only one has ----------------------------------------------------------

    def register(self, key: str, value: object = None) -> None:
        """
        Take the unique name *key* in this process, at the call.

        It stands through restarts, and is free again from the moment the slot has ended, before
        anybody is told of it. After Elixir's ``Registry``.

        Args:
            key: 1 to 200 characters.
            value: What others may read with it; :meth:`update_registration` changes it.

        Raises:
            AlreadyRegistered: A living actor has it, or this one has already.
            TooManyKeys: This actor holds ``max_keys`` keys.
            TypeError, ValueError: *key* is no string of 1 to 200 characters.
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.registry.register(key, host, value, self.max_keys)
        self._unless_ended(host)

    def unregister(self, key: str) -> None:
        """
        Give the unique name *key* back. Not having it is no error.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.registry.unregister(key, host)

    def update_registration(self, key: str, function: Callable[[object], object]) -> object:
        """
        Make ``function(value)`` the value of *key*, which is this actor's own; return it.

        *function* is run here and now. It is run again if another task or thread of this
        actor has changed the value meanwhile; what it raises leaves the value as it was.

        Raises:
            NotRegistered: The name is another's, or nobody's; *function* was not run.
            Stale: This incarnation is over.
        """
        host = self._acting().host
        return host.registry.update(key, host, function)

    def whereis(self, key: str) -> ActorRef | None:
        """Return the living actor with the unique name *key*, or None."""
        return self._bound().host.registry.find(key)

    # -- keys that many share -------------------------------------------------------------

    def enlist(self, key: str, value: object = None) -> None:
        """
        Be listed under *key*, at the call; once more with each call.

        For services that are found by what they do: ``root.registry.members(key)`` lists them,
        ``root.registry.subscribe(key, listener)`` tells of each change. An entry stands through
        restarts and ends with the slot. Such keys and unique names do not meet.

        Args:
            key: 1 to 200 characters.
            value: What others may read with the entry.

        Raises:
            TooManyKeys: This actor holds ``max_keys`` keys; each entry is one.
            TypeError, ValueError: *key* is no string of 1 to 200 characters.
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.registry.enlist(key, host, value, self.max_keys)
        self._unless_ended(host)

    def delist(self, key: str) -> None:
        """
        Be listed under *key* no more: all its entries there end. Having none is no error.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.registry.delist(key, host)

    # -- inside -----------------------------------------------------------------------------

    if TYPE_CHECKING:  # Actor has them

        def _acting(self) -> Life: ...
        def _bound(self) -> Life: ...

    def _need_handler(self, life: Life, message: Down | Restarted) -> None:
        if life.table.find(message) is None:
            raise UndeclaredMessage(life.host.path, type(message).__qualname__)

    def _unless_ended(self, host: Host) -> None:
        if host.mailbox.closed:  # the slot has ended, and freed its keys, in this very moment
            host.registry.release(host)
