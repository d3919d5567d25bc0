# The throttle of the log, for all sequences of reports.

from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor._log import Throttle, Verdict

# How long after the one before each report comes, in seconds.
PAUSES = st.lists(st.sampled_from([0.0, 0.1, 1.0, 30.0, 60.0]), min_size=1, max_size=200)


@given(PAUSES, st.integers(0, 5))
def test_every_report_is_accounted_for(pauses: list[float], limit: int) -> None:
    """
    Reports made, reports counted as left out, and pending ones add up to all.
    """
    throttle, now, made, counted = Throttle(limit, 60.0), 0.0, 0, 0
    for pause in pauses:
        now += pause
        verdict, unreported = throttle.decide("key", now)
        made += verdict is not Verdict.SILENT
        counted += unreported

    assert made + counted + sum(throttle.pending().values()) == len(pauses)


@given(PAUSES, st.integers(0, 5))
def test_no_window_has_more_full_reports(pauses: list[float], limit: int) -> None:
    """
    At most twice *limit* full reports lie in any 60 seconds, however windows fall.
    """
    throttle, now = Throttle(limit, 60.0), 0.0
    full: list[float] = []
    for pause in pauses:
        now += pause
        if throttle.decide("key", now)[0] is Verdict.FULL:
            full.append(now)

        assert sum(then > now - 60.0 for then in full) <= 2 * limit
