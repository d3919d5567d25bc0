# Monitors, after Pekko's WatchSpec.

from typing import Any

import pytest
from conformance.kit import Journal, Tree, member, tree
from helpers import settle
from trio.testing import MockClock

from greenroom.actors import Actor, Down, Restarted, handles
from greenroom.supervisor import ChildSpec


class Watcher(Actor):
    """Does with its monitors as it is told, and writes down what it hears."""

    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)

    @handles(Down, Restarted)
    async def on_news(self, message):
        self.heard.append(message)


async def do(s: Tree, what: Any) -> Any:
    return await s.server.root.find("/residents/watcher").call({"type": "do", "what": what})


@pytest.fixture
def heard() -> list[Any]:
    return []


def watcher(heard: list[Any]) -> ChildSpec:
    return ChildSpec(actor=Watcher, kwargs={"heard": heard})


def mortal(journal: Journal) -> ChildSpec:
    return member(journal, "a", restart="temporary")


async def test_90_a_monitor_of_the_dead_brings_one_down(
    clock: MockClock, journal: Journal, heard: list[Any]
) -> None:
    """
    90: who has ended before is told once, though monitored twice.
    """
    async with tree(journal, [mortal(journal)], beside=[watcher(heard)]) as s:
        ref = s.ref("a")
        s.tell("a", "stop", reason="enough")
        await ref.wait_ended()
        await do(s, lambda self: (self.monitor(ref), self.monitor(ref)))
        await s.calm()

    assert [(down.ref, down.reason) for down in heard] == [(ref, "enough")]


async def test_90_monitoring_twice_brings_one_down(
    clock: MockClock, journal: Journal, heard: list[Any]
) -> None:
    """
    90: two monitors of who lives are one.
    """
    async with tree(journal, [mortal(journal)], beside=[watcher(heard)]) as s:
        ref = s.ref("a")
        await do(s, lambda self: self.monitor(ref))
        await do(s, lambda self: self.monitor(ref))
        s.tell("a", "stop")
        await s.calm()

    assert [type(news) for news in heard] == [Down]


async def test_90_withdrawn_and_begun_otherwise(
    clock: MockClock, journal: Journal, heard: list[Any]
) -> None:
    """
    90: a monitor that is withdrawn, and begun anew with restarts: what is told is the latter's.
    """
    async with tree(journal, [member(journal, "a")], beside=[watcher(heard)]) as s:
        ref = s.ref("a")

        def anew(self: Watcher) -> None:
            self.demonitor(self.monitor(ref))
            self.monitor(ref, incarnations=True)

        await do(s, anew)
        s.tell("a", "crash")
        await settle(lambda: heard)
        await s.calm()
        restarts = list(heard)

    assert [(type(news), news.ref, news.epoch) for news in restarts] == [(Restarted, ref, 2)]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "stop", "reason": "done"}, ("stopped", "done", "")),
        ({"type": "crash"}, ("crashed", "crashed: 'crash'", "ValueError: boom")),
        ({"type": "kill"}, ("fatal", "crashed: 'kill'", "SystemExit: 1")),
    ],
)
async def test_92_down_tells_failure_from_a_graceful_end(
    clock: MockClock,
    journal: Journal,
    heard: list[Any],
    message: dict[str, Any],
    told: tuple[str, str, str],
) -> None:
    """
    92: the cause goes with failures only, and is the one that the supervisor was told.
    """
    async with tree(journal, [mortal(journal)], beside=[watcher(heard)]) as s:
        ref = s.ref("a")
        await do(s, lambda self: self.monitor(ref))
        ref.cast(message)
        await s.calm()
        [down] = heard
        [ended] = s.events("slot.ended", "/residents/s/a")

    assert (down.kind, down.reason, down.error) == told
    assert ended.facts["reason"] == down.reason
