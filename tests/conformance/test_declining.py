# Declining to start: reference scenarios 3, 4, 17 and 27.

from typing import Any

import pytest
from conformance.kit import Journal, Member, member, tree
from trio.testing import MockClock

from greenroom.actors import ActorNotFound, Decline
from greenroom.supervisor import ChildSpec


class Moody(Member):
    """A member that declines in each incarnation listed in `moods` while `declines` is set."""

    declines = True
    moods: tuple[int, ...] = (1,)

    async def started(self) -> None:
        if self.epoch in self.moods and type(self).declines:
            self.journal.write(f"no {self.name}")
            raise Decline("not today")
        await super().started()


def moody(journal: Journal, name: str, *moods: int, **options: Any) -> ChildSpec:
    actor = type("Moody", (Moody,), {"moods": moods or (1,)})
    kwargs = {"journal": journal, "name": name}
    return ChildSpec(actor=actor, name=name, kwargs=kwargs, **{"restart": "permanent", **options})


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_3_a_child_that_declines(
    clock: MockClock, journal: Journal, restart: str, added: bool
) -> None:
    """
    C1 declines and C2 runs: C1 stays listed as declined; specs 2, active 1, workers 2.
    """
    children = [moody(journal, "c1", restart=restart), member(journal, "c2")]
    async with tree(journal, [] if added else children) as t:
        if added:
            for child in children:
                await t.s.add(child)
        assert t.states() == {"c1": "declined", "c2": "running"}
        counts = t.s.counts()
        assert (counts.specs, counts.active, counts.workers) == (2, 1, 2)
        assert t.events("slot.crashed") == []
        assert journal.lines == ["no c1", "+c2"]


@pytest.mark.parametrize("added", [False, True])
async def test_4_a_temporary_child_that_declines(
    clock: MockClock, journal: Journal, added: bool
) -> None:
    """
    The spec of a temporary child that declines is forgotten: counts 1/1.
    """
    children = [moody(journal, "c1", restart="temporary"), member(journal, "c2")]
    async with tree(journal, [] if added else children) as t:
        if added:
            for child in children:
                await t.s.add(child)
        assert t.states() == {"c2": "running"}
        assert (t.s.counts().specs, t.s.counts().active) == (1, 1)


async def test_3_it_can_be_started_later(clock: MockClock, journal: Journal) -> None:
    """
    A child that declined is started by hand when its mood has changed.
    """
    child = moody(journal, "c1")
    async with tree(journal, [child]) as t:
        child.actor.declines = False  # type: ignore[attr-defined]
        await t.s.start_child("c1")
        assert t.states() == {"c1": "running"}


async def test_17_no_cleanup_and_a_free_name(clock: MockClock, journal: Journal) -> None:
    """
    The cleanup hook of one that declines does not run, and its name is free, 100 times of 100.
    """
    async with tree(journal, []) as t:
        for _ in range(100):
            path = await t.s.add(moody(journal, "c1"))
            with pytest.raises(ActorNotFound):
                t.server.root.find(path)
            await t.s.delete_child("c1")

    assert journal.lines == ["no c1"] * 100


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_27_a_restart_that_declines(
    clock: MockClock, journal: Journal, strategy: str
) -> None:
    """
    A child that declines when it is restarted ends; its siblings run, S counts one restart.
    """
    children = [moody(journal, "c1", 2), member(journal, "c2")]
    async with tree(journal, children, strategy=strategy, max_restarts=1) as t:
        t.tell("c1", "crash")
        await t.calm(1)
        assert t.states() == {"c1": "declined", "c2": "running"}
        assert t.server.root.readiness() == []


async def test_a_significant_child_that_declines(clock: MockClock, journal: Journal) -> None:
    """
    Declining is no end of a child that was: it does not shut its supervisor down.
    """
    child = moody(journal, "c1", restart="transient", significant=True)
    children = [child, member(journal, "c2")]
    async with tree(journal, children, restart="temporary", auto_shutdown="any_significant") as t:
        await t.calm(1)
        assert t.states() == {"c1": "declined", "c2": "running"}
