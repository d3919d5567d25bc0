# The whole tree, as it is seen from its root.

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ..actors._workers import Workers
from ._groups import Groups
from ._operations import Operations
from ._tree import NodeSnapshot, facts_of_threads, render

if TYPE_CHECKING:
    from ._connections import Connections
    from ._residents import Residents
    from ._watch import Watch


class Overview(Operations):
    """The part of the root that shows the tree."""

    connections: "Connections"
    groups: Groups
    pools: list[Workers]
    residents: "Residents"
    _state: str
    _why_down: str
    _watch: "Watch"

    @property
    def up(self) -> bool:
        """Whether connections are taken."""
        return self._state == "running"

    @property
    def state(self) -> str:
        """``new``, ``starting``, ``running``, ``down``, ``stopping`` or ``stopped``."""
        return self._state

    def readiness(self) -> list[str]:
        """What keeps the tree from being ready; empty when it is. Loop thread only."""
        problems = [] if self.up else [f"root is {self._state}{self._why_down}"]
        storm = self.connections.storms.refusal
        if storm is not None:
            problems.append(f"/connections: {storm}")
        return problems + [f"{path} is not up" for path in self.residents.parked()]

    def loop_lag(self) -> dict[str, float] | None:
        """Return how late the loop answers in seconds, `last` and `worst` of a minute, if known."""
        return self._watch.lag()

    def snapshot(self) -> NodeSnapshot:
        """Return the whole tree as it is now, frozen. Loop thread only, not a checkpoint."""
        children = (self.connections.snapshot(), self.residents.snapshot())
        root = self.alone()
        facts = {**root.facts, "groups": self.groups.names()}
        return replace(root, facts=facts, children=children)

    def alone(self) -> NodeSnapshot:
        """Return the root as it is now, without its children. Loop thread only."""
        problems = self.readiness()
        return NodeSnapshot(
            path="/",
            kind="root",
            name="root",
            state=self._state,
            facts={
                "ready": not problems,
                "problems": problems,
                "threads": {pool.name: facts_of_threads(pool.statistics()) for pool in self.pools},
                **self._watch.facts(),
                "events": {kind: n for kind, n in self.events.counts().items() if n},
            },
        )

    def snapshot_blocking(self, timeout: float = 5.0) -> NodeSnapshot:
        """
        Return the whole tree as it is now, from a worker thread.

        Raises:
            TimeoutError: The loop did not answer within *timeout* seconds.
            RuntimeError: Called on the loop's thread: use :meth:`snapshot`.
        """
        if self.loop.is_here():
            raise RuntimeError("snapshot_blocking() is for worker threads: use snapshot()")
        taken: list[NodeSnapshot | Exception] = []
        done = threading.Event()

        def take() -> None:
            try:
                taken.append(self.snapshot())
            except Exception as error:  # noqa: BLE001 - raised here, it would end the loop
                taken.append(error)
            done.set()

        self.loop.call_soon(take)
        if not done.wait(timeout):
            raise TimeoutError(f"the loop did not answer within {timeout:g} s")
        if isinstance(taken[0], Exception):
            raise taken[0]
        return taken[0]

    def render(self) -> str:
        """Return the tree as text for a terminal. Loop thread only."""
        return render(self.snapshot())
