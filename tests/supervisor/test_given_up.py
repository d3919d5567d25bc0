# A child that does not end, and was given up: it is nobody any more, and its successor somebody.

from typing import Any

import pytest
import trio
from conformance.kit import Journal, Member, member, tree
from trio.testing import MockClock

from greenroom.actors import Actor, ActorStopped, Down, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import ChildSpec


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture
def journal() -> Journal:
    return Journal()


class Named(Member):
    """A member with a name of its own, that shields itself."""

    async def started(self) -> None:
        self.register("the one")
        await super().started()

    @handles("shield")
    async def on_shield(self, message: dict[str, Any]) -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(message["seconds"])
        self.register("late")
        self.journal.write("not inert")
        return "late"


def named(journal: Journal, name: str) -> ChildSpec:
    kwargs = {"journal": journal, "name": name}
    return ChildSpec(actor=Named, name=name, kwargs=kwargs, shutdown_seconds=1, restart="permanent")


async def test_its_name_is_free(clock: MockClock, journal: Journal) -> None:
    """
    Its successor takes the name that it had, and what it does in the end has no effect.
    """
    children = [named(journal, "a"), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        old = t.ref("a")
        t.tell("a", "shield", seconds=100)
        await t.calm()
        t.tell("b", "crash")
        await t.calm(20)
        assert t.states() == {"a": "running", "b": "running"}
        assert t.events("slot.crashed", "/residents/s/a") == []
        assert not old.alive
        await t.calm(100)
        assert t.server.root.registry.names() == {"the one": "/residents/s/a"}
        assert "not inert" not in journal.lines
        assert journal.lines[-1] == "-a"  # its own stopped() has run
        assert t.states() == {"a": "running", "b": "running"}


async def test_who_waits_for_it_is_told(clock: MockClock, journal: Journal) -> None:
    """
    Its caller and who monitors it are told at once, and once; what comes later is a dead letter.
    """
    told: list[str] = []

    class Watcher(Actor):
        async def started(self) -> None:
            self.monitor(self.find("/residents/s/a"))

        @handles(Down)
        async def on_down(self, down: Down) -> None:
            told.append(f"{down.kind}: {down.reason}")

    async def call() -> None:
        try:
            await old.call({"type": "shield", "seconds": 100}, timeout=1000)
        except ActorStopped as error:
            told.append(type(error).__name__)

    async with tree(journal, [named(journal, "a"), Watcher]) as t:
        old = t.ref("a")
        t.server.start_soon(call)
        await t.calm()
        await t.s.stop_child("a")
        await t.calm()
        assert sorted(told) == ["ActorStopped", "stopped: given up, as it did not stop in time"]
        assert old.cast({"type": "epoch"}) is False
        await t.calm(200)
        assert len(told) == 2
        assert "not inert" not in journal.lines
