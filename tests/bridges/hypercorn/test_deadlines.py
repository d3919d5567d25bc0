# Who is due when: the heap, without a clock.

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.hypercorn._deadlines import Deadlines


def test_the_earliest_comes_first_and_once() -> None:
    """
    Owners are taken out in the order of their times, those not due yet stay.
    """
    deadlines = Deadlines[str]()
    for owner, when in (("late", 9.0), ("first", 1.0), ("second", 2.0)):
        deadlines.set(owner, when)
    assert deadlines.next() == 1

    assert deadlines.take_due(5, 10) == ["first", "second"]
    assert deadlines.take_due(5, 10) == []
    assert deadlines.next() == 9


def test_most_is_a_bound() -> None:
    """
    No more than asked for are taken at a time; the rest stays due.
    """
    deadlines = Deadlines[int]()
    for owner in range(5):
        deadlines.set(owner, 0)

    assert deadlines.take_due(0, 3) == [0, 1, 2]
    assert deadlines.take_due(0, 3) == [3, 4]


def test_those_that_left_are_not_kept() -> None:
    """
    A hundred thousand that came and went leave next to nothing behind.
    """
    deadlines = Deadlines[int]()
    for owner in range(100_000):
        deadlines.set(owner, 3600)
        deadlines.discard(owner)

    assert len(deadlines._heap) < 200


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.one_of(st.just(inf), st.just(None), st.floats(0, 100)))
    ),
    st.floats(0, 100),
)
def test_what_was_said_last_holds(said: list[tuple[int, float | None]], now: float) -> None:
    """
    Due are exactly those whose last word is a time that has come; None takes the word back.
    """
    deadlines, expected = Deadlines[int](), dict[int, float]()
    for owner, when in said:
        expected.pop(owner, None)
        if when is None:
            deadlines.discard(owner)
        else:
            deadlines.set(owner, when)
            if when != inf:
                expected[owner] = when
    due = deadlines.take_due(now, 100)

    assert sorted(due) == sorted(owner for owner, when in expected.items() if when <= now)
    assert [expected[owner] for owner in due] == sorted(expected[owner] for owner in due)
