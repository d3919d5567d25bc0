"""What an actor has to do with presence: being present, and watching who is."""

# A part of Actor, in a file of its own. Presences and watches belong to the slot: they stand
# through restarts and end with it. Everything may be called from a handler on trio or in a worker
# thread and takes effect at the call; nothing here is a checkpoint.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ._errors import UndeclaredMessage
from ._presence import Listed, PresenceDiff

if TYPE_CHECKING:
    from ._life import Life


class Attendance:
    """The part of an actor that is present, and sees who is."""

    __slots__ = ()

    max_presences: ClassVar[int] = 100
    """How often a slot may be present, in all topics together; and how many topics it may watch."""

    def presence_track(self, topic: str, key: str, meta: Mapping[str, Any] | None = None) -> None:
        """
        Be present in *topic* as *key*, in all processes, at the call.

        It stands through restarts, and ends with the slot; whoever tracks again, a new incarnation
        for instance, only says *meta* anew. A key is shown for
        ``presence_grace_seconds`` yet behind the end of its last slot, so that who comes back
        within was never away. After Phoenix's ``Presence.track``.

        Args:
            topic: Where, such as ``"room.1"``: 1 to 200 characters.
            key: As who, such as ``str(user.pk)``: 1 to 200 characters. Others may have it too.
            meta: What to say of oneself to all who look: what JSON can say, 4,096 bytes at most.

        Raises:
            TooManyPresences: It is present ``max_presences`` times.
            TypeError, ValueError: A name or *meta* is not as said.
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.presences.track(topic, key, host, meta, self.max_presences)
        if host.mailbox.closed:  # the slot has ended, and was present no more, in this very moment
            host.presences.release(host)

    def presence_update(self, topic: str, key: str, meta: Mapping[str, Any] | None = None) -> None:
        """
        Say *meta* in *topic* as *key*, in the place of what was said, at the call.

        Unlike :meth:`presence_track` it makes nobody present who is not.

        Raises:
            NotPresent: This actor is not.
            TypeError, ValueError: *meta* is not as :meth:`presence_track` takes it.
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.presences.update(topic, key, host, meta)

    def presence_untrack(self, topic: str, key: str | None = None) -> None:
        """
        Be present in *topic* no more, as *key* or at all: at the call, without grace.

        Not being present is no error. The end of a connection needs none of it, and a call in
        ``disconnect`` would take its grace away.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.presences.untrack(topic, key, host)

    def presence_list(self, topic: str) -> Listed:
        """
        Return who is present in *topic*, by key, in all processes; any thread.

        Of other processes as far as they are known here: see the reference.

        Raises:
            Stale: This incarnation is over.
        """
        return self._acting().host.presences.listed(topic)

    def presence_watch(self, topic: str) -> Listed:
        """
        Return who is present in *topic*, and be told of each change from now on.

        By a :class:`PresenceDiff`, for ``@handles(PresenceDiff)``, also of what this actor does
        itself. It stands through restarts and ends with the slot. Who watches already gets the
        list anew, and a diff that is ``whole`` behind those that wait in the mailbox.

        Where the mailbox is full a diff is dropped, and a while later one comes that is ``whole``;
        but with the overflow policy ``drop_oldest`` what is dropped may be an earlier diff, and
        nobody notices.

        Raises:
            TooManyPresences: This actor watches ``max_presences`` topics.
            UndeclaredMessage: This class has no handler for what would come.
            TypeError, ValueError: *topic* is no string of 1 to 200 characters.
            Stale: This incarnation is over.
        """
        life = self._acting()
        host = life.host
        if life.table.find(PresenceDiff(topic)) is None:
            raise UndeclaredMessage(host.path, PresenceDiff.__qualname__)
        listed = host.presences.watch(topic, host, self.max_presences)
        if host.mailbox.closed:
            host.presences.release(host)
        return listed

    def presence_unwatch(self, topic: str) -> None:
        """
        Be told of *topic* no more; what is in the mailbox, or on its way there, comes yet.

        Whoever watches again before that is handled has it behind the list.

        Not watching is no error.

        Raises:
            Stale: This incarnation is over.
        """
        host = self._acting().host
        host.presences.unwatch(topic, host)

    if TYPE_CHECKING:  # Actor has it

        def _acting(self) -> Life: ...
