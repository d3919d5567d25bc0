# Pages of a tree to which anything happens between two of them, at random.

import random

import pytest
import trio
from helpers import running
from random_trees import OPTIONS, Chaos, Room, tree
from trio.testing import MockClock

from greenroom.bridges.testing import virtual_clock

from .asking import asked


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.mark.parametrize("seed", range(4))
async def test_each_comes_once(clock: MockClock, seed: int) -> None:
    """
    Whoever is there from the first page to the last comes once, whatever comes and goes.
    """
    dice = random.Random(seed)
    async with (
        running(*tree(), options=OPTIONS, room=Room) as server,
        trio.open_nursery() as nursery,
    ):
        chaos = Chaos(server, dice, nursery)
        look = chaos.look
        for _ in range(25):
            before = {path: (key, look.place(path)) for key, path in look.walk("/")}
            found: list[str] = []
            after = ""
            while after is not None:
                answer = await asked(server, "tree", search="/", limit=3, after=after)
                found += [row["path"] for row in answer["rows"]]
                after = answer["next"]
                chaos.once()
                await trio.sleep(dice.choice([0, 0.01, 1]))
            stayed = [
                path for path, there in before.items()
                if there == (look.key(path), look.place(path))
            ]  # fmt: skip
            assert [found.count(path) for path in stayed] == [1] * len(stayed)
            order = [look.key(path) for path in found if path in stayed]
            assert order == sorted(order)
        nursery.cancel_scope.cancel()
        for each in chaos.sockets:
            each.disconnect()
