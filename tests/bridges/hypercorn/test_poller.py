# One epoll for many sockets, on real socket pairs.

import itertools
import socket
from collections.abc import Callable, Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.hypercorn._poller import READ, WRITE, Poller

Pair = tuple[socket.socket, socket.socket]


class Owner:
    """Notes what it is called with."""

    def __init__(self, act: Callable[[int], object] = lambda events: None) -> None:
        self.events: list[int] = []
        self.errors: list[Exception] = []
        self._act = act

    def ready(self, events: int) -> None:
        self.events.append(events)
        self._act(events)

    def failed(self, error: Exception) -> None:
        self.errors.append(error)


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """
    Three connections.
    """
    made = [socket.socketpair() for _ in range(3)]
    for sock in sum(made, ()):
        sock.setblocking(False)
    yield made
    for sock in sum(made, ()):
        sock.close()


async def test_fair(pairs: list[Pair]) -> None:
    """
    An owner that leaves its socket readable is called once a turn; others run in between.
    """
    ours, theirs = pairs[0]
    poller, owner = Poller.current(), Owner()
    poller.watch(ours, owner, READ)
    theirs.send(b"never read")
    seen: list[int] = []
    await trio.sleep(0)
    for _ in range(50):
        seen.append(len(owner.events))
        await trio.sleep(0)
    poller.unwatch(ours)

    assert seen[-1] > 5
    assert all(after - before <= 1 for before, after in itertools.pairwise(seen))


async def test_alone(pairs: list[Pair]) -> None:
    """
    What an owner raises is told to it and ends its watch; the others are called as before.
    """

    def fail(events: int) -> None:
        raise RuntimeError("boom")

    poller, bad = Poller.current(), Owner(fail)
    good = Owner(lambda events: pairs[1][0].recv(100))
    poller.watch(pairs[0][0], bad, READ)
    poller.watch(pairs[1][0], good, READ)
    for _ in range(2):
        for _, theirs in pairs:
            theirs.send(b"x")
        await wait_all_tasks_blocked()

    assert [str(error) for error in bad.errors] == ["boom"]
    assert len(good.events) == 2


def test_what_is_no_exception_ends_the_run(pairs: list[Pair]) -> None:
    """
    A SystemExit out of an owner ends the run of trio with it: no worker lives on without sockets.
    """

    def leave(events: int) -> None:
        raise SystemExit(3)

    async def main() -> None:
        Poller.current().watch(pairs[0][0], Owner(leave), READ)
        pairs[0][1].send(b"x")
        await trio.sleep(10)

    with pytest.raises(trio.TrioInternalError) as raised:
        trio.run(main)
    cause = raised.value.__cause__
    assert isinstance(cause, BaseExceptionGroup)
    assert cause.subgroup(SystemExit) is not None


async def test_alone_even_when_the_end_fails(
    pairs: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    """
    An owner that can't even be told of its error is logged; the others are called as before.
    """

    class Hopeless(Owner):
        def failed(self, error: Exception) -> None:
            raise RuntimeError("boom again") from error

    def fail(events: int) -> None:
        raise RuntimeError("boom")

    poller = Poller.current()
    good = Owner(lambda events: pairs[1][0].recv(100))
    poller.watch(pairs[0][0], Hopeless(fail), READ)
    poller.watch(pairs[1][0], good, READ)
    for _, theirs in pairs:
        theirs.send(b"x")
    await wait_all_tasks_blocked()

    assert len(good.events) == 1
    assert "boom again" in caplog.text


async def test_no_stale(pairs: list[Pair]) -> None:
    """
    Who is given up by another owner in one turn is not called in it, whatever had been found.
    """
    poller, called = Poller.current(), list[int]()

    def first_come(index: int) -> Callable[[int], None]:
        def act(events: int) -> None:
            called.append(index)
            for ours, _ in pairs:
                poller.unwatch(ours)

        return act

    for index, (ours, theirs) in enumerate(pairs):
        poller.watch(ours, Owner(first_come(index)), READ)
        theirs.send(b"x")
    await wait_all_tasks_blocked()

    assert len(called) == 1


async def test_wakes(pairs: list[Pair]) -> None:
    """
    WAKES: who asks to be called again is, again and again, while no socket has anything.
    """
    poller, left = Poller.current(), 5

    def once_more(events: int) -> None:
        nonlocal left
        left -= 1
        if left:
            poller.call_again(pairs[0][0], owner)

    owner = Owner(once_more)
    poller.watch(pairs[0][0], owner, READ)
    await wait_all_tasks_blocked()
    poller.call_again(pairs[0][0], owner)
    await wait_all_tasks_blocked()

    assert owner.events == [READ] * 5


async def test_what_is_watched_for_can_change(pairs: list[Pair]) -> None:
    """
    Reading, writing, both, neither: the owner is called for what is asked for at the moment.
    """
    (ours, theirs), poller = pairs[0], Poller.current()

    def once(events: int) -> None:
        poller.watch(ours, owner, 0)

    owner = Owner(once)
    poller.watch(ours, owner, WRITE)
    await wait_all_tasks_blocked()
    theirs.send(b"x")
    poller.watch(ours, owner, READ)
    await wait_all_tasks_blocked()
    poller.watch(ours, owner, READ | WRITE)
    await wait_all_tasks_blocked()

    assert owner.events == [WRITE, READ, READ | WRITE]


async def test_called_again(pairs: list[Pair]) -> None:
    """
    An owner that asks for it is called in the next turn though nothing has come.
    """
    ours, _ = pairs[0]
    poller = Poller.current()
    owner = Owner(lambda events: poller.call_again(ours, owner) if len(owner.events) < 3 else None)
    poller.watch(ours, owner, READ)
    poller.call_again(ours, owner)
    pairs[1][1].send(b"wakes the poller")
    poller.watch(pairs[1][0], Owner(lambda events: pairs[1][0].recv(100)), READ)
    await wait_all_tasks_blocked()

    assert owner.events == [READ, READ, READ]
