# The heartbeats of all WebSockets of a loop, in one task: a scope with a deadline for each
# connection would cost it memory, and time whenever the deadline moves.

import logging
from typing import Protocol

import trio

from ...actors._lowlevel import Parker, one_of_this_run, start_system_task
from ._deadlines import Deadlines

logger = logging.getLogger("greenroom.hypercorn")

_MANY = 256  # peers are looked at before others have their turn


class Patient(Protocol):
    """A connection whose peer is to give signs of life."""

    def beat(self, now: float) -> float:
        """Do what is due; return when to be called next, inf for never."""
        ...

    def failed(self, error: Exception) -> None:
        """Make an end: :meth:`beat` has raised *error*, and is not called again."""
        ...


class Heartbeats:
    """Calls each of its patients when a beat is due. Loop thread only."""

    def __init__(self) -> None:
        self._deadlines = Deadlines[Patient]()
        self._waits_until = 0.0
        self._earlier = Parker()
        start_system_task(self._run, "greenroom heartbeats")

    @classmethod
    def current(cls) -> "Heartbeats":
        """Return those of the running loop; their task ends with the loop."""
        return one_of_this_run(cls)

    def call_at(self, when: float, patient: Patient) -> None:
        """Have *patient* called at *when*; never, if that is inf."""
        self._deadlines.set(patient, when)
        if when < self._waits_until:
            self._earlier.wake()

    def forget(self, patient: Patient) -> None:
        """Call *patient* no more."""
        self._deadlines.discard(patient)

    async def _run(self) -> None:
        while True:
            self._waits_until = self._deadlines.next()
            with trio.CancelScope(deadline=self._waits_until):
                await self._earlier.park()
            now = trio.current_time()
            for patient in self._deadlines.take_due(now, _MANY):
                self._beat(patient, now)

    def _beat(self, patient: Patient, now: float) -> None:
        try:
            try:
                self._deadlines.set(patient, patient.beat(now))
            except Exception as error:  # noqa: BLE001 - it would end the whole loop
                patient.failed(error)
        except Exception:
            logger.exception("a fault in Greenroom itself, behind another")
