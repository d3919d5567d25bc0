# Incarnations that make spans: of their beginning, their end, what runs between two messages; and
# timers that know where they were set. What handles messages is in _handling.py.

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, cast

from ...actors._life import Life
from ...actors._loop import Loop
from ...actors._messages import PeerEnd
from ...actors._moments import Moment
from ...actors._tasks import Tasks
from ...actors._timers import Timer
from ._extra import context as contexts

if TYPE_CHECKING:
    from ._slot import TracedSlot


class TracedTasks(Tasks):
    """Tasks and timers of an incarnation."""

    __slots__ = ()

    def start_timer(self, seconds: float, message: object, key: Hashable, *, repeat: bool) -> Timer:
        """Set a timer that knows what was current where it was set. Any thread."""
        timer = super().start_timer(seconds, message, key, repeat=repeat)
        timer.carried = contexts.get_current()
        return timer


class TracedLoop(Loop):
    """The loop of an incarnation."""

    __slots__ = ()

    async def run_moment(self, moment: Moment) -> None:
        """Run the handler of *moment* in a span. A checkpoint as it is."""
        with _slot_of(self._life).span_of(self._life, moment.name):
            await super().run_moment(moment)


class TracedLife(Life):
    """An incarnation in a :class:`TracedSlot`."""

    __slots__ = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tasks = TracedTasks(self)
        self._loop = TracedLoop(self)

    async def _begin(self) -> None:
        with _slot_of(self).beginning(self):
            await super()._begin()

    async def close(self, ending: str, item: PeerEnd, begins: Callable[[], object]) -> None:
        """Run the last handler in a span, if there is one; see :meth:`Life.close`."""
        if ending not in self.table.special:
            return
        with _slot_of(self).span_of(self, "stop"):
            await super().close(ending, item, begins)


def _slot_of(life: Life) -> TracedSlot:
    return cast("TracedSlot", life.host)
