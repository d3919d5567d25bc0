"""Messages put aside by their handlers, until the actor says that it is ready for them."""

# Pekko's stash, as a buffer with a capacity. Erlang's selective receive does the same without
# one, by looking through the whole queue for each message.
#
# Invariants, each with a test of that name in tests/actors/test_deferred.py:
#   IN ORDER     what is released goes to the front of the mailbox, as it came, behind the
#                handler that released it and before everything that came later.
#   NOT LOST     when an incarnation ends, what it had put aside is put back: for the next
#                one, or with the rest of the mailbox for the dead letters.
#   POISON       a message whose handler put it aside and then failed is consumed all the
#                same: only a handler that succeeds keeps it.
#   ONE TICK     a timer whose tick is put aside sends no further one.
#   BOUNDED      `defer_capacity` messages; the handler of one more gets DeferFull. Callers
#                that have left make room first.
#
# Whether a handler has succeeded is not told to this buffer, which would cost every message:
# each entry notes how many were handled when it was made, and a success adds one to that.
#
# Frames go back to a mailbox on the loop's thread only (see _mailbox.py), and a thread may
# hold a run of messages that have been taken already. So release() only marks them; flush()
# moves them, on the loop, behind such a run.

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ._context import in_background
from ._errors import DeferFull, Stale
from ._messages import Call, Cast, InFrame, Item, Tick
from ._reply import Reply

if TYPE_CHECKING:
    from ._life import Life
    from ._reply_later import Outstanding

_DEFERRABLE = (Cast, Call, Tick, InFrame)


class Deferred:
    """The messages that one incarnation has put aside. Every method from any thread."""

    __slots__ = (
        "_capacity", "_closed", "_entries", "_lock", "_released", "last", "outstanding",
    )  # fmt: skip

    def __init__(self, capacity: int) -> None:
        self.last: Item | None = None
        """The last one put aside, until its handler's value has been dropped."""
        self.outstanding: Outstanding | None = None
        """The replies that its handlers owe, once one does; another thing put off."""
        self._capacity = capacity
        self._entries: list[tuple[Item, int]] = []
        self._released: list[Item] = []
        self._closed = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries) + len(self._released)

    def add(self, item: Item, handled: int) -> bool | None:
        """Put *item* aside, once; False when there is no room, None when it is too late."""
        with self._lock:
            if self._closed:
                return None
            if self._entries and self._entries[-1][0] is item:
                return True
            if len(self._entries) >= self._capacity:
                return False
            self._entries.append((item, handled))
            self.last = item
        if type(item) is Tick:
            item.timer.put_aside()
        return True

    def sweep(self) -> list[Item]:
        """Remove the calls whose callers have left; return them."""
        with self._lock:
            left = [item for item, _ in self._entries if _is_abandoned(item)]
            self._entries = [entry for entry in self._entries if not _is_abandoned(entry[0])]
        return left

    def drop(self, handled: int) -> None:
        """Forget what the running handler put aside: it has not succeeded."""
        with self._lock:
            if not self._entries or self._entries[-1][1] != handled:
                return
            item, _ = self._entries.pop()
            self.last = None
        if type(item) is Tick:
            item.timer.taken()

    def release(self, handled: int) -> None:
        """Let all go but what the running handler itself puts aside."""
        with self._lock:
            self._released += [item for item, mark in self._entries if mark != handled]
            self._entries = [entry for entry in self._entries if entry[1] == handled]

    def take_released(self) -> list[Item]:
        """Return what was let go, oldest first."""
        with self._lock:
            released, self._released = self._released, []
        return released

    def close(self, handled: int) -> list[Item]:
        """Put nothing aside any more; return what goes back, oldest first."""
        self.drop(handled)
        with self._lock:
            self._closed = True
            rest = [*self._released, *(item for item, _ in self._entries)]
            self._released, self._entries = [], []
        # Of a call that was told that its actor crashed, the caller was told the last as well.
        return [item for item in rest if not (type(item) is Call and item.reply.done)]


def _is_abandoned(item: Item) -> bool:
    return type(item) is Call and item.reply.abandoned


def defer(life: Life) -> None:
    """Do what :meth:`Actor.defer` says."""
    life.guard()
    item = None if in_background.get() else life.item
    if not isinstance(item, _DEFERRABLE):
        raise RuntimeError(  # noqa: TRY004 - nobody gave a wrong type
            f"{life.host.path} handles no message here, so there is none to put aside: defer() is"
            " for `receive` and for handlers declared with @handles."
        )
    if type(item) is Call and type(item.reply) is not Reply:
        raise RuntimeError(
            f"{life.host.path} replies later to this {item.summary()}, so it can't be put aside:"
            " call defer() or reply_later(), not both."
        )
    deferred = life.deferred
    if deferred is None:
        deferred = life.deferred = Deferred(life.actor.defer_capacity)
    added = deferred.add(item, life.handled)
    if added is False:
        for call in deferred.sweep():
            life.host.note("call.skipped", epoch=life.epoch, message=call.summary())
        added = deferred.add(item, life.handled)
    if added is False:
        raise DeferFull(life.host.path, life.actor.defer_capacity)
    if added is None:  # a thread that was left behind, in this very moment
        raise Stale(life.host.path, life.epoch)


def release(life: Life) -> None:
    """Do what :meth:`Actor.release` says."""
    here = life.guard()
    if life.deferred is None:
        return
    life.deferred.release(life.handled)
    life.hop.pausing = True
    if here:
        flush(life)
    else:
        life.host.loop.call_soon(flush, life)


def flush(life: Life) -> None:
    """Move what was released to the front of the mailbox, unless it is too early. Loop thread."""
    if life.deferred is None or life.hop.in_run:  # behind the run, then
        return
    released = life.deferred.take_released()
    if released:
        life.host.mailbox.put_back(released)
        life.host.mailbox.parker.wake()


def put_all_back(life: Life) -> None:
    """Move what *life*, which has ended, had put aside to the front of the mailbox."""
    if life.deferred is not None:
        life.host.mailbox.put_back(life.deferred.close(life.handled))
