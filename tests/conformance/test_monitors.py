# Monitors, after Pekko's WatchSpec.

from typing import Any

import pytest
from conformance.kit import Journal, member, tree
from trio.testing import MockClock


def watcher_and(journal: Journal, **options: Any) -> list[object]:
    """Return a watcher W, and A, which it is to watch."""
    return [member(journal, "w", hears=True), member(journal, "a", **options)]


async def test_90_a_monitor_of_the_dead_brings_one_down(clock: MockClock, journal: Journal) -> None:
    """
    Who has ended before is told once, though monitored twice.
    """
    async with tree(journal, watcher_and(journal, restart="temporary")) as t:
        ref = t.ref("a")
        t.tell("a", "stop", reason="enough")
        await t.calm()
        mark = len(journal.lines)
        for _ in range(2):
            t.tell("w", "watch", whom=ref)
        await t.calm()
        assert journal.since(mark) == ["w heard: a stopped, enough"]


async def test_90_monitoring_twice_brings_one_down(clock: MockClock, journal: Journal) -> None:
    """
    Two monitors of who lives are one.
    """
    async with tree(journal, watcher_and(journal, restart="temporary")) as t:
        for _ in range(2):
            assert await t.ask("w", "watch", whom=t.ref("a")) == "ok"
        t.tell("a", "stop")
        await t.calm()
        assert journal.since(2) == ["-a", "w heard: a stopped, done"]


async def test_90_withdrawn_and_begun_otherwise(clock: MockClock, journal: Journal) -> None:
    """
    A monitor that is withdrawn, and begun anew with restarts: what is told is the latter's.
    """
    async with tree(journal, watcher_and(journal)) as t:
        await t.ask("w", "unwatch", whom=t.ref("a"))
        await t.ask("w", "watch", whom=t.ref("a"), restarts=True)
        t.tell("a", "crash")
        await t.calm()
        assert journal.since(2) == ["+a", "w heard: a is in epoch 2"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("stop", "stopped, done"),
        ("crash", "crashed, crashed: 'crash', ValueError: boom"),
        ("kill", "fatal, crashed: 'kill', SystemExit: 1"),
    ],
)
async def test_92_down_tells_failure_from_a_graceful_end(
    clock: MockClock, journal: Journal, what: str, told: str
) -> None:
    """
    The cause goes with failures only, and the reason is the one that the supervisor was told.
    """
    async with tree(journal, watcher_and(journal, restart="temporary")) as t:
        await t.ask("w", "watch", whom=t.ref("a"))
        t.tell("a", what)
        await t.calm()
        assert journal.lines[-1] == f"w heard: a {told}"
        [ended] = t.events("slot.ended")
        assert str(ended.facts["reason"]) in told
