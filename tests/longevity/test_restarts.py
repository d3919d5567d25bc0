# Restarts without end leave nothing. The same in small in the usual suite, and up to a million
# by `make test-long`, which prints what came of it (`ARGS="-rP"`).

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio
from helpers import running
from longevity._ledger import grown, holdings, told
from longevity._lives import (
    Threaded,
    burdened,
    consumer,
    dynamic,
    group,
    mixed,
    nested,
    one_child,
)
from trio.testing import MockClock

from greenroom.actors import Actor
from greenroom.actors._lowlevel import Parker, start_system_task
from greenroom.supervisor import DynamicSpec, SupervisorSpec

pytestmark = pytest.mark.slow

KINDS: dict[str, tuple[Callable[[], Any], int, int, int]] = {
    # a tree and its rounds; restarts to warm up with, in small, and in large
    "one child": (one_child, 500, 200, 1_000_000),
    "a hundred children": (dynamic, 500, 200, 1_000_000),
    "a consumer with its socket": (consumer, 500, 200, 1_000_000),
    "one_for_all": (group("one_for_all"), 500, 200, 300_000),
    "rest_for_one": (group("rest_for_one"), 500, 200, 300_000),
    "a supervisor that gives up": (nested, 500, 200, 100_000),
    "one that holds all there is": (burdened, 500, 200, 100_000),
    "in a thread": (lambda: one_child(Threaded), 500, 200, 100_000),
    "all of that, by chance": (mixed, 500, 200, 300_000),
}
TRIES = 3
"""A leak grows each time; what the interpreter keeps for itself, once."""
SIZES = [pytest.param(2, id="small"), pytest.param(3, id="large", marks=pytest.mark.long)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
async def test_restarts_leave_nothing(clock: MockClock, kind: str, size: int) -> None:
    """
    The process holds after many restarts what it held after some.
    """
    tree, warm_up, *_ = KINDS[kind]
    async with tree() as turn:
        await _make(turn, warm_up)
        for _ in range(TRIES):
            before, began = holdings(), time.perf_counter()
            made = await _make(turn, KINDS[kind][size])
            seconds, after = time.perf_counter() - began, holdings()
            print(f"{kind}: {made} restarts in {seconds:.1f} s; {told(before, after)}")
            more = grown(before, after)
            if not more:
                break
        assert more == [], more


async def _make(turn: Callable[[], Any], number: int) -> int:
    made = 0
    while made < number:
        made += await turn()
    await trio.sleep(10)  # what is on its way arrives
    return made


class Idle(Actor):
    pass


async def test_a_restart_by_hand_leaves_no_slot(clock: MockClock) -> None:
    """
    Of a child that an operator has restarted there is one slot, not two.
    """
    spec = SupervisorSpec(name="s", children=[Idle])
    async with running(spec, DynamicSpec(name="d")) as server:
        s, d = server.root.supervisor("/residents/s"), server.root.supervisor("/residents/d")
        name = (await d.add(Idle)).rpartition("/")[2]
        await s.restart_child("idle")  # from now on restarts by hand are counted
        await d.restart_child(name)
        before = holdings()
        for _ in range(3):
            await s.restart_child("idle")
            await d.restart_child(name)
        assert grown(before, holdings()) == []


class Things:
    """Holds what should not be kept."""

    def __init__(self) -> None:
        self.kept: list[object] = []


LEAKS: dict[str, tuple[Callable[[], Any], str]] = {
    "an object": (Parker, "1 Parker more"),
    "an entry": (object, "5 Things.kept more"),
    "no type of ours": (lambda: [str(n) for n in range(10_000, 30_000)], "blocks of memory more"),
    "a task": (lambda: start_system_task(trio.sleep_forever, "left over"), "1 left over more"),
    "a descriptor": (lambda: os.open(os.devnull, os.O_RDONLY), "1 descriptors more"),
}


async def test_the_ledger_tells_a_leak() -> None:
    """
    One thing too many of any sort is told; without one nothing is.
    """
    things = Things()
    before = holdings()
    assert grown(before, holdings()) == []
    things.kept.extend(make() for make, _ in LEAKS.values())
    told = "; ".join(grown(before, holdings()))
    assert [line for _, line in LEAKS.values() if line not in told] == []
    os.close(things.kept[-1])
