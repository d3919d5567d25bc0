# When a pool of threads is told of as busy: pure.

from greenroom.supervisor._saturation import Saturation


def test_once_each_way() -> None:
    """
    Busy is told once, when the wait is too long; free once, when nothing waits any more.
    """
    alarm = Saturation(1.0)

    told = [alarm.look(waiting) for waiting in (0, 0.9, 1.0, 5.0, 0.1, 2.0, 0, 0, 1.5, 0)]

    busy, free = "threads.busy", "threads.free"
    assert told == [None, None, busy, None, None, None, free, None, busy, free]
