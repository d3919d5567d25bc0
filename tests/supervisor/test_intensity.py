# The restart budget of one slot.

import pytest

from greenroom.supervisor._intensity import RestartWindow


def test_exact() -> None:
    """
    Three restarts in the window are admitted, a fourth is not.
    """
    window = RestartWindow(3, 5.0)

    assert [window.admit(now) for now in (0.0, 1.0, 2.0, 3.0)] == [True, True, True, False]


def test_bounded() -> None:
    """
    However many restarts are recorded, one more than the limit counts, and twice that is kept.
    """
    window = RestartWindow(3, 1e9)
    for now in range(1000):
        window.admit(float(now))
        assert len(window._moments) <= 8

    assert window.count(1000.0) == 4
    assert repr(window) == "<RestartWindow 3 in 1e+09 s, 4 remembered>"


class Moment(float):
    """One that counts how often moments are compared."""

    compared = 0

    def __gt__(self, other: float) -> bool:
        Moment.compared += 1
        return float(self) > other


def test_cheap() -> None:
    """
    A restart looks at a few of the others, though the limit be a million; the sums are exact.
    """
    window = RestartWindow(1_000_000, 1000.0)
    Moment.compared = 0
    for now in range(5000):
        assert window.admit(Moment(now))
        assert window.count(float(now)) == min(now + 1, 1000)
        assert window.left(float(now)) == 1_000_000 - min(now + 1, 1000)

    assert Moment.compared < 5000 * 3 * 14


def test_slides() -> None:
    """
    A restart leaves the window by itself, one at a time, and not all at once.
    """
    window = RestartWindow(2, 10.0)
    for now in (0.0, 9.0):
        window.admit(now)

    assert window.left(9.0) == 0
    assert window.left(10.0) == 1
    assert window.admit(11.0)
    assert not window.admit(12.0)


def test_edge_is_outside() -> None:
    """
    A restart exactly max_seconds ago does not count any more.
    """
    window = RestartWindow(1, 5.0)
    window.admit(0.0)

    assert window.count(4.999) == 1
    assert window.count(5.0) == 0


def test_spaced_crashes_never_exceed() -> None:
    """
    Restarts further apart than the window are admitted for ever (OTP's multiple_restarts).
    """
    window = RestartWindow(1, 1.0)

    assert all(window.admit(2.1 * nth) for nth in range(100))


def test_zero_forgives_none() -> None:
    """
    With a limit of 0 the first restart is refused.
    """
    window = RestartWindow(0, 5.0)

    assert window.left(0.0) == 0
    assert not window.admit(0.0)


def test_a_refused_restart_counts() -> None:
    """
    A slot that goes on in spite of a refusal is refused again.
    """
    window = RestartWindow(1, 5.0)

    assert [window.admit(now) for now in (0.0, 1.0, 5.5)] == [True, False, False]


def test_none_forgives_all() -> None:
    """
    Without a limit everything is admitted, and what is left is None.
    """
    window = RestartWindow(None, 5.0)

    assert all(window.admit(0.0) for _ in range(1000))
    assert window.left(0.0) is None
    assert window.count(0.0) == 100
    assert repr(window) == "<RestartWindow any number in 5 s, 100 remembered>"


def test_reset_gives_a_fresh_budget() -> None:
    """
    After reset() nothing is remembered.
    """
    window = RestartWindow(1, 5.0)
    window.admit(0.0)
    window.reset()

    assert window.left(0.0) == 1
    assert window.admit(0.0)


@pytest.mark.parametrize(
    ("limit", "seconds", "error", "message"),
    [
        (-1, 5.0, ValueError, "max_restarts must be at least 0. Got: -1"),
        (1.5, 5.0, TypeError, "max_restarts must be a whole number. Got: 1.5"),
        (3, 0, ValueError, "max_seconds must be finite and more than 0 seconds. Got: 0"),
        (3, float("inf"), ValueError, "max_seconds .* Got: inf"),
        (3, "5", TypeError, "max_seconds must be a number of seconds. Got: '5'"),
    ],
)
def test_wrong_limits_are_refused(
    limit: int, seconds: float, error: type[Exception], message: str
) -> None:
    """
    A limit that makes no sense is refused with what was given.
    """
    with pytest.raises(error, match=message):
        RestartWindow(limit, seconds)
