# How fast a peer may send: two token buckets, and how long it is put up with. Pure: `now` is an
# argument.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_rate.py:
#   BURST      what `burst_seconds` of a rate amount to may come at once, two messages at least.
#   RATE       who is only read from when told so gets no more through than the burst and the rate.
#   PATIENCE   who goes on sending more than the rate for longer than the patience is told to go;
#              one burst, however large, that is over by then is not.
#   LATE       that a busy server read from him later than it might have is no pause that he made.
#
# A message is never refused for its size: it is there already. It makes a debt, and nothing is
# read until that is paid; so the debt is bounded by the longest message.

from math import inf


class Bucket:
    """
    One token bucket.

    Args:
        rate: Tokens a second; None for no limit.
        capacity: The most that it holds; it is full at first.
        now: The time.
    """

    __slots__ = ("_at", "_capacity", "_rate", "_tokens")

    def __init__(self, rate: float | None, capacity: float, now: float) -> None:
        self._rate = rate
        self._capacity = self._tokens = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Return how many tokens it holds; below 0 if too many were taken."""
        if self._rate is None:
            return inf
        return min(self._capacity, self._tokens + (now - self._at) * self._rate)

    def take(self, now: float, tokens: float) -> None:
        """Take *tokens*, whether they are there or not."""
        self._tokens, self._at = self.level(now) - tokens, now

    def when(self, level: float) -> float:
        """Say when it will hold *level*, or at most its capacity, if nothing more is taken."""
        if self._rate is None:
            return -inf
        return self._at + (min(level, self._capacity) - self._tokens) / self._rate

    def recovered(self, now: float, resumed: float) -> bool:
        """Whether half of what is above *resumed*, at which reading goes on, is there again."""
        return self.level(now) >= resumed + (self._capacity - resumed) / 2


class Rate:
    """
    How fast one peer may send.

    Args:
        messages: A second; None for no limit.
        size: Bytes of them a second; None for no limit.
        burst_seconds: What so much time brings may come at once.
        patience_seconds: How long a peer may want more than that.
        now: The time.
    """

    __slots__ = ("_bytes", "_late", "_messages", "_patience", "_since", "until")

    def __init__(
        self,
        messages: float | None,
        size: float | None,
        burst_seconds: float,
        patience_seconds: float,
        now: float,
    ) -> None:
        self._messages = Bucket(messages, max(2.0, (messages or 0) * burst_seconds), now)
        self._bytes = Bucket(size, max(1.0, (size or 0) * burst_seconds), now)
        self._patience = patience_seconds
        self._since: float | None = None  # it wants more than it may have
        self._late = 0.0  # how much later than `until` it was read from again
        self.until = -inf
        """When the next message may be read."""

    def room(self, now: float) -> int:
        """Say how many messages may be read now."""
        if now < self.until:
            return 0
        level = self._messages.level(now)
        return 1 << 30 if level == inf else max(1, int(level))

    def resumed(self, now: float) -> None:
        """Take note that it is read from again: what a busy server took longer is no pause."""
        self._late = max(0.0, now - self.until)

    def took(self, now: float, messages: int, size: int) -> bool:
        """Take note of what was read; False if the peer has sent too fast for too long."""
        paused, self._late = now - self._late, 0.0
        if self._messages.recovered(paused, 1.0) and self._bytes.recovered(paused, 0.0):
            self._since = None
        self._messages.take(now, messages)
        self._bytes.take(now, size)
        until = max(self._messages.when(1.0), self._bytes.when(0.0))
        if until <= now:
            return True
        self.until = until
        if self._since is None:
            self._since = now
        return until - self._since <= self._patience
