# Whether the handlers of an application under test are at rest.
#
# Under Channels the test and its application share one loop, and an async handler that has sent
# something goes on before the test does: `await self.accept()` with `group_add` behind it is done
# when connect() returns. Here each may have a loop of its own: a communicator waits for the rest.

from __future__ import annotations

import threading
from contextvars import ContextVar
from types import TracebackType

from ..engines._waiting import Waiter, new_waiter


class Rest:
    """Counts the handlers that run, each of which is one ``with``. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._given_up = False
        self._waiting: list[Waiter] = []

    def __enter__(self) -> None:
        with self._lock:
            self._at_work += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._at_work -= 1
            if self._at_work:
                return
            self._given_up = False
            waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()

    async def wait(self) -> None:
        """
        Wait until no handler runs. A checkpoint if one does.

        Cancelled, it is not waited for again until it has ended: it is one that takes long.
        """
        with self._lock:
            if not self._at_work or self._given_up:
                return
            waiter = new_waiter()
            self._waiting.append(waiter)
        try:
            await waiter.wait()
        finally:
            with self._lock:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    self._given_up = True


REST: ContextVar[Rest | None] = ContextVar("greenroom_rest", default=None)
"""Where the consumers of an application under test count their handlers."""
