# How late the loop is: pure.

from greenroom.supervisor._lag import Lag


def test_the_last_and_the_worst() -> None:
    """
    The last figure is the last; the worst stays for as long as it is young enough.
    """
    lag = Lag(seconds=60)
    assert (lag.last, lag.worst(0)) == (0, 0)

    for now, late in enumerate([0.1, 3.0, 0.2]):
        lag.add(late, now)

    assert (lag.last, lag.worst(2)) == (0.2, 3.0)
    assert lag.worst(60.9) == 3.0
    assert lag.worst(61) == 0.2
    assert lag.worst(62) == 0


def test_it_stays_small() -> None:
    """
    Of figures that can't be the worst any more nothing is kept, nor of those that are old.
    """
    lag = Lag(seconds=60)

    for now in range(1000):
        lag.add(now % 7, now)
    assert len(lag._worst) <= 7
    for now in range(1000, 2000):
        lag.add(3000 - now, now)

    assert len(lag._worst) <= 60
