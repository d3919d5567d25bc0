# The storm breaker of the connections, at work: its clock, its events, and the end of a storm.
#
# The end must be told though nobody crashes any more, and readiness must turn green by
# itself. So a storm has a task in the root's nursery, for as long as it lasts; without a
# storm there is none, and a crash costs a few comparisons.

from contextvars import Context
from typing import TYPE_CHECKING

import trio

from ._storm import StormBreaker

if TYPE_CHECKING:
    from ._root import Root

_PATH = "/connections"


class Storms:
    """Puts off the restarts of connections when they are too many at once. Loop thread only."""

    def __init__(self, root: "Root") -> None:
        options = root.options
        self._root = root
        self.breaker = StormBreaker(
            options.storm_restarts, options.storm_seconds, options.storm_delay_seconds
        )
        self._watching: trio.CancelScope | None = None
        self._closed = False

    @property
    def refusal(self) -> str | None:
        """Why no WebSocket is taken in a storm; None without one."""
        if not self.breaker.open:
            return None
        return "too many consumers crash at the same time (storm_restarts)"

    def spread(self, seconds: float) -> float:
        """Take note of a restart that is to wait *seconds*; return how long it shall wait."""
        tasks = self._root.tasks
        if self._closed or tasks is None:
            return seconds
        now, breaker = trio.current_time(), self.breaker
        breaker.look(now)
        if self._watching is not None and not breaker.open:  # over, and not told yet
            self._end()
        put_off = breaker.admit(now, self._root.random.random())
        if self._watching is None and breaker.open:
            self._begin(tasks)
        return max(seconds, put_off)

    def close(self) -> None:
        """End the storm, if there is one: the tree stops, and nothing restarts any more."""
        self._closed = True
        self.breaker.close()
        if self._watching is not None:
            self._watching.cancel()

    def facts(self) -> dict[str, object]:
        """Return what the tree shows of it; nothing if there never was a storm."""
        breaker = self.breaker
        if not breaker.storms:
            return {}
        left = round(breaker.until - trio.current_time(), 3) if breaker.open else 0.0
        return {
            "storm": breaker.open,
            "storm_seconds_left": left,
            "storm_restarts": breaker.restarts,
            "storm_put_off": breaker.put_off,
            "storms": breaker.storms,
        }

    def _begin(self, tasks: trio.Nursery) -> None:
        options = self._root.options
        self._watching = scope = trio.CancelScope()
        self._root.events.emit(
            "storm.began",
            _PATH,
            restarts=self.breaker.restarts,
            within=options.storm_seconds,
            seconds=options.storm_delay_seconds,
        )
        # In no context: that of the slot which crashed must not live on in it.
        Context().run(self._start, tasks, scope)

    def _start(self, tasks: trio.Nursery, scope: trio.CancelScope) -> None:
        tasks.start_soon(self._watch, scope, name=f"{_PATH} storm")

    async def _watch(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                while self.breaker.open:
                    await trio.sleep_until(self.breaker.until)
                    self.breaker.look(trio.current_time())
        except trio.Cancelled:  # the tree's nursery is over: no task could watch another storm
            self._closed = True
            self.breaker.close()
            raise
        finally:
            if self._watching is scope:
                self._end()

    def _end(self) -> None:
        """Tell that it is over. Never raises, and is no checkpoint."""
        if self._watching is not None:
            self._watching.cancel()
        self._watching = None
        breaker = self.breaker
        self._root.events.emit(
            "storm.ended", _PATH, restarts=breaker.restarts, put_off=breaker.put_off
        )
