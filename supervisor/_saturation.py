# Whether work has waited too long for a thread of a pool. Pure.

from typing import Literal


class Saturation:
    """
    An alarm with hysteresis: on when work has waited for too long, off when none waits.

    Args:
        seconds: How long is too long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._on = False

    def look(self, waiting: float) -> Literal["threads.busy", "threads.free"] | None:
        """
        Return the event that there is to tell, if any.

        Args:
            waiting: How long the first of what waits has waited; 0 if nothing waits.
        """
        if not self._on and waiting >= self._seconds:
            self._on = True
            return "threads.busy"
        if self._on and not waiting:
            self._on = False
            return "threads.free"
        return None
