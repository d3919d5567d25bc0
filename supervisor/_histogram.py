# How long something took, many times: counted by size, so that it takes the same room however
# often it was. Pure.
#
# As HDR histograms and Prometheus's native ones: each bucket is so much wider than the one before.
# With eight for each doubling a percentile is at most a ninth too long, and never too short; the
# longest is exact.

from math import ceil, exp2, log2

_STEPS = 8
_LEAST = 1e-7  # seconds; what is shorter counts as that
_MOST = 1e6


class Histogram:
    """Counts durations. Not thread-safe."""

    __slots__ = ("_buckets", "count", "longest", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        """How many there were."""
        self.longest = 0.0
        """The longest of them, in seconds."""
        self.total = 0.0
        """All together, in seconds."""

    def add(self, seconds: float) -> None:
        """Count one that took *seconds*."""
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)
        bucket = ceil(log2(min(max(seconds, _LEAST), _MOST) / _LEAST) * _STEPS)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def by_doubling(self) -> list[tuple[float, int]]:
        """
        Return how many took up to so many seconds, and longer than half of that, shortest first.

        Between the shortest and the longest no doubling is left out, also if there was none in it.
        """
        counts: dict[int, int] = {}
        for bucket, count in self._buckets.items():
            doubling = ceil(bucket / _STEPS)
            counts[doubling] = counts.get(doubling, 0) + count
        if not counts:
            return []
        doublings = range(min(counts), max(counts) + 1)
        return [(_LEAST * 2**each, counts.get(each, 0)) for each in doublings]

    def percentile(self, share: float) -> float | None:
        """
        Return how long the longest of the shortest *share* of them took, in seconds.

        Args:
            share: Above 0, at most 1; 0.5 for the median.

        Returns:
            The upper bound of its bucket, never more than the longest; None if there were none.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1. Got: {share!r}")
        wanted = max(1, ceil(share * self.count))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return min(_LEAST * exp2(bucket / _STEPS), self.longest)
        return None
