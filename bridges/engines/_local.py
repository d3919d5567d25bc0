# The engine of a server with one process: there is nobody else to reach.
#
# Groups deliver inside the process by themselves, so that this engine has nothing
# left to carry. It keeps its books all the same: an operator who reads "published 40,
# 12 topics, no peers" knows at once why a second process hears nothing.

from threading import Lock

import trio

from ...supervisor._engine import Engine, EngineSink, EngineStatistics


class LocalEngine(Engine):
    """
    Reaches no other process. The default, and right for one worker.
    """

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._lock = Lock()
        self._published = 0
        self._ran = False

    def __repr__(self) -> str:
        return f"<LocalEngine {len(self._topics)} topics>"

    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """
        Sleep until cancelled. Always a checkpoint; nothing is left behind.

        Raises:
            RuntimeError: it has been run before.
        """
        if self._ran:
            raise RuntimeError("an engine serves one root, once; make a new one.")
        self._ran = True
        task_status.started()
        await trio.sleep_forever()

    def publish(self, topic: str, payload: object) -> None:
        """
        Count *payload* and forget it, whatever it is: there are no other processes.
        """
        with self._lock:
            self._published += 1

    def subscribe(self, topic: str) -> None:
        """
        Note that somebody here listens to *topic*.
        """
        with self._lock:
            self._topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        """
        Note that nobody here listens to *topic* any more.
        """
        with self._lock:
            self._topics.discard(topic)

    def peers(self) -> frozenset[str]:
        """
        Return the empty set.
        """
        return frozenset()

    def statistics(self) -> EngineStatistics:
        """
        Return the counters; there is never any lag.
        """
        with self._lock:
            return EngineStatistics(
                connected=True,
                subscriptions=len(self._topics),
                published=self._published,
            )
