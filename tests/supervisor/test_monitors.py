# The table of who watches whom, by itself. Monitors of living actors are in test_slot_monitors.py.

import threading

from greenroom.actors import ActorRef, Down, Restarted
from greenroom.supervisor._monitors import Fault, Monitors


class Flag:
    def __init__(self) -> None:
        self.value = False

    def is_set(self) -> bool:
        return self.value


class Ending:
    """What may end."""

    def __init__(self) -> None:
        self.path = "/residents/a"
        self.end: str | None = None
        self.fault: Fault | None = None
        self.ended = Flag()
        self.last_crash = None
        self.ref = ActorRef(self)  # pyright: ignore[reportArgumentType] - as much as is asked of it

    def over(self, monitors: Monitors, fault: Fault | None = None) -> None:
        self.end, self.fault, self.ended.value = "enough", fault, True
        monitors.ended(self)


class Told:
    """Who watches."""

    def __init__(self) -> None:
        self.downs: list[Down] = []
        self.news: list[Restarted] = []

    def ended(self, down: Down) -> None:
        self.downs.append(down)

    def restarted(self, news: Restarted) -> None:
        self.news.append(news)


def test_told_once() -> None:
    """
    Who came before the end and who came behind it are told once, and told the same.
    """
    monitors, target, early, late = Monitors(), Ending(), Told(), Told()
    monitors.watch(target, early)
    monitors.watch(target, early)
    target.over(monitors)
    monitors.watch(target, late)
    monitors.ended(target)

    assert early.downs == late.downs == [Down(target.ref, "/residents/a", "enough", "stopped")]
    assert repr(monitors) == "<Monitors 0 watched>"


def test_told_once_from_threads() -> None:
    """
    However the end falls among threads that begin to watch, each is told exactly once.
    """
    for _ in range(100):
        monitors, target = Monitors(), Ending()
        told = [Told() for _ in range(8)]
        gate = threading.Barrier(3)

        def watch(some: list[Told], monitors: Monitors = monitors, target: Ending = target) -> None:
            gate.wait()  # noqa: B023 - joined below
            for each in some:
                monitors.watch(target, each)

        threads = [threading.Thread(target=watch, args=(told[at::2],)) for at in range(2)]
        for thread in threads:
            thread.start()
        gate.wait()
        target.over(monitors)
        for thread in threads:
            thread.join()
        assert [len(each.downs) for each in told] == [1] * 8


def test_a_failure_has_its_error() -> None:
    """
    The error is told of failures only, and whether it was fatal.
    """
    for fatal, kind in ((False, "crashed"), (True, "fatal")):
        monitors, target, told = Monitors(), Ending(), Told()
        monitors.watch(target, told)
        target.over(monitors, Fault("ValueError: no room", fatal=fatal))
        assert [(each.kind, each.error) for each in told.downs] == [(kind, "ValueError: no room")]


def test_who_watches_no_more_is_not_told() -> None:
    """
    unwatch() ends it, and without a watch it does nothing; the others are told.
    """
    monitors, target, one, two = Monitors(), Ending(), Told(), Told()
    monitors.unwatch(target, one)
    for each in (one, two):
        monitors.watch(target, each)
    monitors.unwatch(target, one)
    monitors.restarted(target, 2)
    target.over(monitors)

    assert (one.news, one.downs) == ([], [])
    assert two.news == [Restarted(target.ref, "/residents/a", 2)]
    assert len(two.downs) == 1


def test_no_lock() -> None:
    """
    Who is told may watch, from another thread too, while it is being told.
    """
    monitors, target, other, told = Monitors(), Ending(), Ending(), Told()

    class Follows(Told):
        def ended(self, down: Down) -> None:
            thread = threading.Thread(target=monitors.watch, args=(other, told), daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()

    monitors.watch(target, Follows())
    target.over(monitors)
    other.over(monitors)

    assert len(told.downs) == 1
