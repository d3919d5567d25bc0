# Actors that an operator has put to rest for a while, as OTP's sys:suspend does.
#
# A suspended actor handles nothing; what comes waits in its mailbox, under the bounds of that,
# and TCP holds its peer back. It ends by itself, so that nobody can forget it. Kept here, by path:
# a slot that is not suspended, as nearly all are, has nothing of it.

from collections.abc import Collection
from typing import TYPE_CHECKING

import trio

from ..actors._ref import target_of
from ._options import refuse_unless_seconds
from ._slot import Slot
from ._task import TaskSlot

if TYPE_CHECKING:
    from ._root import Root


class Suspensions:
    """Who is suspended; ``root.suspensions``. Loop thread only, no method is a checkpoint."""

    def __init__(self, root: "Root") -> None:
        self._root = root
        # When each ends, by the path above and its own: once only, since a table of a hundred
        # thousand that grows takes milliseconds, and two do it in the same moment.
        self._below: dict[str, dict[str, float]] = {}

    def begin(self, path: str, seconds: float = 60.0) -> None:
        """
        Have the actor at *path* handle nothing for a while.

        Its running handler finishes, its tasks and timers go on; what comes waits in its mailbox
        and on its socket. It stands through restarts; a stop is obeyed. Again is to set another
        end.

        Args:
            path: Where the actor is.
            seconds: After which it goes on by itself.

        Raises:
            ActorNotFound: There is none.
            TypeError: *seconds* is no number, or what is there handles no messages anyway.
            ValueError: *seconds* is not finite and more than 0.
        """
        refuse_unless_seconds("seconds", seconds, zero=False)
        slot = self._slot(path)
        until = trio.current_time() + seconds
        self._below.setdefault(path.rpartition("/")[0], {})[path] = until
        slot.note("slot.suspended", seconds=seconds)
        slot.halt()

    def end(self, path: str) -> bool:
        """
        Have the actor at *path* go on; return whether it was suspended.

        Raises:
            ActorNotFound: There is none.
            TypeError: What is there handles no messages anyway.
        """
        slot = self._slot(path)
        if self.until(path) is None:
            return False
        slot.end_suspension()
        slot.halt()
        return True

    def until(self, path: str) -> float | None:
        """Return when the suspension of *path* ends, on trio's clock; None without one."""
        if not self._below:
            return None
        below = self._below.get(path.rpartition("/")[0])
        return None if below is None else below.get(path)

    def paths(self) -> list[str]:
        """Return the paths of all that are suspended."""
        return [path for below in self._below.values() for path in below]

    def right_below(self, path: str) -> Collection[str]:
        """Return the paths of those right below *path* that are suspended; not to be changed."""
        return self._below.get(path, ())

    def forget(self, path: str) -> bool:
        """Drop what is kept of *path*; say whether there was anything."""
        if self.until(path) is None:
            return False
        above = path.rpartition("/")[0]
        del self._below[above][path]
        if not self._below[above]:
            del self._below[above]
        return True

    def _slot(self, path: str) -> Slot:
        slot = target_of(self._root.find(path))
        if not isinstance(slot, Slot) or isinstance(slot, TaskSlot):
            raise TypeError(f"{path} handles no messages, so it can't be suspended")
        return slot
