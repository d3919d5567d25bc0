# What waits to be published, from any thread, with a bound. Knows no Redis.
#
# What is past the bound is dropped, and counted; whoever empties the outbox learns that a gap is
# owed to those who would have heard it.

import time
from collections import deque
from dataclasses import dataclass
from threading import Lock

MESSAGES = 10_000
BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that waits."""

    channel: str
    data: bytes
    since: float


class Outbox:
    """
    At most *messages* and *bytes* of them.

    Args:
        messages: How many may wait.
        bytes: How much may wait.
    """

    def __init__(self, messages: int = MESSAGES, bytes: int = BYTES) -> None:
        self._most_messages, self._most_bytes = messages, bytes
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._lock = Lock()
        self.dropped = 0
        self.gap_owed = False

    def put(self, channel: str, data: bytes) -> bool:
        """Add a message; say whether there was room. Any thread."""
        with self._lock:
            full = len(self._waiting) >= self._most_messages
            if full or self._bytes + len(data) > self._most_bytes:
                self.dropped += 1
                self.gap_owed = True
                return False
            self._waiting.append(Waiting(channel, data, time.monotonic()))
            self._bytes += len(data)
            return True

    def take(self, most: int) -> list[Waiting]:
        """Take the oldest messages, at most *most*."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(len(each.data) for each in taken)
            return taken

    def lost(self, count: int) -> None:
        """Count messages that were taken and that nobody may have heard."""
        with self._lock:
            self.dropped += count
            self.gap_owed = True

    def pay_gap(self) -> bool:
        """Whether a gap is owed; it is told now."""
        with self._lock:
            owed, self.gap_owed = self.gap_owed, False
            return owed

    def lag(self) -> tuple[int, int, float]:
        """Return how many wait, how many bytes, and for how many seconds the oldest one."""
        with self._lock:
            oldest = self._waiting[0].since if self._waiting else None
            age = 0.0 if oldest is None else max(0.0, time.monotonic() - oldest)
            return len(self._waiting), self._bytes, age
