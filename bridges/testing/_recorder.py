# What the engine suite puts behind an engine, in the place of the groups.

from collections.abc import Callable

import trio

PROBE = {"type": "suite.probe"}
"""What the suite sends to learn whether a subscription has taken effect."""


class Recorder:
    """
    A sink that remembers what it was given, and can be waited on.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, object]] = []
        self.gaps: list[str] = []
        self._changed = trio.Event()

    def deliver(self, topic: str, payload: object) -> None:
        """Remember *payload*."""
        self.received.append((topic, payload))
        self._change()

    def gap(self, reason: str) -> None:
        """Remember *reason*."""
        self.gaps.append(reason)
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def of(self, topic: str) -> list[object]:
        """
        Return what came of *topic*, in order, without the suite's probes.
        """
        return [each for name, each in self.received if name == topic and each != PROBE]

    async def heard(self, topic: str, payload: object) -> None:
        """
        Wait until *payload* has come of *topic*; a checkpoint unless it has already.
        """
        await self.wait_until(lambda: payload in self.of(topic))

    async def wait_until(self, true: Callable[[], object]) -> None:
        """
        Wait until *true* returns something true; a checkpoint unless it does at once.
        """
        while not true():
            await self._changed.wait()
