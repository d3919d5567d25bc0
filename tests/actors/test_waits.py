# How long the oldest item of a mailbox has waited, told from a few marks.

from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors._waits import Waits


def test_what_is_not_known() -> None:
    """
    Without a mark, and behind the last one, nothing is known.
    """
    waits = Waits()
    assert waits.since(0) is None
    waits.mark(2, 0, 10.0)
    assert waits.since(1) == 10.0
    assert waits.since(2) is None


def test_the_first_mark_that_covers_it() -> None:
    """
    What was there at the first mark is as old as that, what came behind it as old as the next.
    """
    waits = Waits()
    waits.mark(1, 0, 10.0)
    waits.mark(5, 0, 20.0)
    assert waits.since(0) == 10.0
    waits.mark(5, 1, 30.0)  # nothing has come
    assert [waits.since(taken) for taken in range(1, 6)] == [20.0, 20.0, 20.0, 20.0, None]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_never_too_long(steps: list[tuple[int, int]]) -> None:
    """
    Whatever comes and is taken, nobody is said to have waited longer than he has, and of a mark at
    each step none that waits is left out.
    """
    waits, came, taken = Waits(), [0.0] * 0, 0
    for now, (more, fewer) in enumerate(steps):
        came += [float(now)] * more
        taken = min(len(came), taken + fewer)
        waits.mark(len(came), taken, float(now))
        if taken < len(came):
            since = waits.since(taken)
            assert since is not None
            assert came[taken] <= since <= now
        assert len(waits._marks) <= 8
