# A tree with a hundred thousand places: nobody is held up, and each question ends.

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio
import trio.testing
from helpers import running
from inspection_trees import Room, ask, attached, opened, paths

from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection._ask_tree import LOOKS, MOST_TROUBLE, SLICE
from greenroom.supervisor._look import Look
from greenroom.supervisor._slot import Slot

MANY = 100_000


class Counter(trio.abc.Instrument):
    """Counts looks at places, in each step of a task and since it was last read."""

    def __init__(self) -> None:
        self.steps: list[int] = [0]

    def before_task_step(self, task: Any) -> None:
        """Begin to count anew; trio's hook."""
        self.steps.append(0)

    def read(self) -> tuple[int, int]:
        """Return how many looks there were, and how many in one step at most."""
        steps, self.steps = self.steps, [0]
        return sum(steps), max(steps)


@pytest.fixture
async def looks(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Counter]:
    """Every look at a place, whatever is asked of it."""
    counter, place = Counter(), Look.place

    def counted(look: Look, path: str) -> Any:
        counter.steps[-1] += 1
        return place(look, path)

    monkeypatch.setattr(Look, "place", counted)
    trio.lowlevel.add_instrument(counter)
    yield counter
    trio.lowlevel.remove_instrument(counter)


@pytest.mark.parametrize("fields", [{"search": "nobody"}, {"mailbox": 5}, {"limit": 500}])
async def test_slices(looks: Counter, fields: dict[str, Any]) -> None:
    """
    SLICES: however many places are gone through, so many and no more are between two turns.
    """
    async with opened(0) as server:
        with attached(server.root, 2000):
            looks.read()
            await ask(server, path="/connections/room", **fields)
            total, most = looks.read()
            assert total > 500
            assert most <= 4 * SLICE  # a row asks its place several things


@pytest.mark.parametrize(
    "act",
    [
        {"action": "restart", "preview": True},
        {"action": "suspend"},
        {"action": "resume"},
        {"action": "trace"},
        {"action": "wake"},
        {"action": "disconnect-path"},
        {"action": "disconnect-user", "path": "", "user": "nobody"},
    ],
    ids=lambda act: act["action"],
)
async def test_slices_of_acts(looks: Counter, act: dict[str, Any]) -> None:
    """
    SLICES: however many an act reaches, so many and no more are looked at between two turns.
    """
    async with opened(0) as server:
        with attached(server.root, 2000):
            looks.read()
            question = {"ask": "act", "path": "/connections/room", "by": "ada", **act}
            await Inspector(server.root).answer(question)
            total, most = looks.read()
            assert total > 500 or act["action"] == "disconnect-path"  # which need not look
            assert most <= 3 * SLICE


async def test_slices_of_a_trace(looks: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    SLICES: a trace of a branch is told to so many and no more of it between two turns.
    """

    def flagged(slot: Slot) -> None:
        looks.steps[-1] += 1

    monkeypatch.setattr(Slot, "flag", flagged)
    async with opened(0) as server:
        with attached(server.root, 2000):
            looks.read()
            server.root.traces.begin("/connections/room", 60)
            await trio.testing.wait_all_tasks_blocked()
            total, most = looks.read()
            assert total >= 4000  # a look at each, and its flag
            assert most <= 2 * SLICE


async def test_many_at_rest(looks: Counter) -> None:
    """
    SLICES: of how many of a branch are suspended it is told without a look at each.
    """
    async with opened(0) as server:
        root = server.root
        with attached(root, 2000) as slots:
            for slot in slots[:1500]:
                root.suspensions.begin(slot.path, 60)
            looks.read()
            answer = await ask(server, path="/connections/room", limit=1)
            assert answer["node"]["below"]["states"] == {"running": 500, "suspended": 1500}
            assert looks.read()[1] <= SLICE
            for slot in slots[:1490]:
                root.suspensions.end(slot.path)
            answer = await ask(server, path="/connections/room", limit=1)
            assert answer["node"]["below"]["states"] == {"running": 1990, "suspended": 10}
        assert root.suspensions.right_below("/connections/room") == ()


async def test_bounded(looks: Counter) -> None:
    """
    BOUNDED: a search through them all is answered in parts, each with so many looks at most.
    """
    async with running(room=Room) as server:
        with attached(server.root, MANY):
            looks.read()
            pages, after, found = 0, "", list[str]()
            while True:
                answer = await ask(server, search="user-99999", after=after)
                total, most = looks.read()
                assert total <= LOOKS + SLICE
                assert most <= SLICE
                found += paths(answer)
                pages += 1
                if answer["next"] is None:
                    break
                assert answer["partial"]
                after = answer["next"]
            assert found == [f"/connections/room/{MANY}"]
            assert pages == -(-MANY // LOOKS) + (MANY % LOOKS == 0)


async def test_trouble(looks: Counter) -> None:
    """
    TROUBLE: two in trouble among twenty thousand are found and counted with a few looks.
    """
    many = MANY // 5
    async with running(room=Room) as server:
        with attached(server.root, many) as slots:
            slots[17_000].state = slots[5].state = "backing off"
            looks.read()
            answer = await ask(server, unhealthy=True)
            assert paths(answer) == ["/connections/room/6", "/connections/room/17001"]
            assert answer["node"]["below"]["unhealthy"] == 2
            room = await ask(server, path="/connections/room", limit=1)
            assert room["node"]["below"] == {
                "total": many, "states": {"running": many - 2, "backing off": 2}, "unhealthy": 2,
            }  # fmt: skip
            assert looks.read()[0] < 100
            slots[5].state = "running"
            assert paths(await ask(server, unhealthy=True)) == ["/connections/room/17001"]
            assert "/connections/room/6" not in server.root.trouble


async def test_all_in_trouble(looks: Counter) -> None:
    """
    With more in trouble than can be put in order the tree is gone through: a page is found at once.
    """
    async with running(room=Room) as server:
        with attached(server.root, 3 * MOST_TROUBLE) as slots:
            for slot in slots:
                slot.state = "backing off"
            looks.read()
            first = await ask(server, unhealthy=True, limit=3)
            assert paths(first) == [f"/connections/room/{number}" for number in (1, 2, 3)]
            second = await ask(server, unhealthy=True, limit=2, after=first["next"])
            assert paths(second) == ["/connections/room/4", "/connections/room/5"]
            total, most = looks.read()
            assert total < 2 * MOST_TROUBLE + 200
            assert most <= SLICE


async def test_the_order_is_kept_for_the_next_page() -> None:
    """
    However many come and go between two pages, each comes once; what has gone is not kept for long.
    """
    async with running(room=Room) as server:
        connections, room = server.root.connections, "/connections/room"
        with attached(server.root, 4000) as slots:
            first = await ask(server, path=room, limit=100)
            assert paths(first) == [f"{room}/{number}" for number in range(1, 101)]
            for slot in slots[50:3000]:
                connections.detach("room", slot)
            del slots[50:3000]
            with attached(server.root, 10):
                second = await ask(server, path=room, limit=100, after=first["next"])
                assert paths(second) == [f"{room}/{number}" for number in range(3001, 3101)]
                last = await ask(server, path=room, limit=500, after=f"{second['next']}")
                rest = await ask(server, path=room, limit=500, after=last["next"])
                assert paths(rest)[-1] == f"{room}/4010"
                assert len(connections._orders["room"]) < 2 * 1060 + 1001
            for _ in range(5):  # nobody looks any more
                with attached(server.root, 1000):
                    pass
            assert connections._orders == {}
