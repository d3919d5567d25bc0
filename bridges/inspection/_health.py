# Whether a process lives, and whether it should be given requests: what a load balancer asks.
#
# Of this process alone: each worker is asked for itself, and one that is ill does not make the
# others ill. Alive is who answers at all; ready is who should be sent more.

import threading
import time
from dataclasses import dataclass

import trio

from ...supervisor import Root

WAIT_SECONDS = 2.0
"""How long the loop may take to answer a thread."""


@dataclass(frozen=True, slots=True)
class Health:
    """What was found."""

    problems: tuple[str, ...] = ()
    """What is wrong, a sentence each; none if all is well."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def readiness(root: Root, late: float = 0.0) -> list[str]:
    """
    Return what keeps *root*'s process from taking requests; empty if nothing does. Loop thread.

    Args:
        root: The tree.
        late: Seconds that the loop took to get here, if that is known.
    """
    problems = root.readiness()
    limit = root.options.ready_lag_seconds
    lag = root.loop_lag()
    late = max(late, lag["last"] if lag else 0.0)
    if limit is not None and late > limit:
        problems.append(f"the event loop is {late:.1f} s late, and may be {limit:g} s")
    return problems


def liveness_from_thread(root: Root, seconds: float = WAIT_SECONDS) -> Health:
    """Say whether the loop of *root* turns. For threads: it waits *seconds* at most."""
    return _asked(root, seconds, ready=False)


def readiness_from_thread(root: Root, seconds: float = WAIT_SECONDS) -> Health:
    """Say whether *root*'s process takes requests. For threads: it waits *seconds* at most."""
    return _asked(root, seconds, ready=True)


def _asked(root: Root, seconds: float, *, ready: bool) -> Health:
    began = time.monotonic()
    answered = threading.Event()
    found: list[str] = []

    def look() -> None:  # in the loop, as a callback: whatever it raised would end the loop
        try:
            if ready:
                found.extend(readiness(root, time.monotonic() - began))
        except Exception as error:  # noqa: BLE001
            found.append(f"a fault in Greenroom itself: {type(error).__name__}")
        answered.set()

    try:
        root.loop.call_soon(look)
    except trio.RunFinishedError:
        return Health(("the event loop has ended",))
    if not answered.wait(seconds):
        return Health((f"the event loop has not answered within {seconds:g} s",))
    return Health(tuple(found))
