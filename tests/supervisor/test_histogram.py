# Durations, counted by size.

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._histogram import Histogram

durations = st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200)


def histogram_of(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for each in seconds:
        histogram.add(each)
    return histogram


@given(durations, st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_percentiles(seconds: list[float], share: float) -> None:
    """
    A percentile is never too short, and at most a ninth too long; the longest is exact.
    """
    histogram = histogram_of(seconds)
    exact = sorted(seconds)[max(1, math.ceil(share * len(seconds))) - 1]
    told = histogram.percentile(share)
    assert told is not None
    assert exact * (1 - 1e-9) <= told <= exact * 1.1
    assert (histogram.count, histogram.longest) == (len(seconds), max(seconds))
    assert histogram.total == pytest.approx(sum(seconds))


@given(durations)
def test_by_doubling(seconds: list[float]) -> None:
    """
    Each is counted once, below a bound that is no twice as long, and no doubling is left out.
    """
    told = histogram_of(seconds).by_doubling()
    bounds = [bound for bound, _ in told]
    for bound, count in told:
        # At the very edge of a bucket either side will do.
        least, most = (
            sum(bound / 2 * (1 + off) < each <= bound * (1 - off) for each in seconds)
            for off in (1e-9, -1e-9)
        )
        assert least <= count <= most
    assert sum(count for _, count in told) == len(seconds)
    assert bounds == pytest.approx([bounds[0] * 2**nth for nth in range(len(bounds))])
    assert told[0][1] > 0
    assert told[-1][1] > 0


def test_none() -> None:
    """
    Of nothing there is no percentile, and no doubling.
    """
    assert Histogram().percentile(0.5) is None
    assert Histogram().by_doubling() == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-12, 1e12])
def test_what_can_hardly_be(seconds: float) -> None:
    """
    A duration that no clock gives is counted as the nearest that one does, and costs no room.
    """
    histogram = histogram_of([seconds, seconds, 0.5])
    assert histogram.count == 3
    assert histogram.percentile(0.01) is not None


@pytest.mark.parametrize("share", [0, -0.5, 1.01, math.nan])
def test_no_share(share: float) -> None:
    """
    A share that is none is refused.
    """
    with pytest.raises(ValueError, match="share must be above 0"):
        Histogram().percentile(share)
