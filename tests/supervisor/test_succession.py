# Between two incarnations.

import trio
from helpers import running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.supervisor import Options, SupervisorSpec


class Crasher(Actor):
    """Crashes when it is told to."""

    @handles("crash")
    async def on_crash(self, message):
        raise ValueError("boom")


async def test_cut_short(autojump_clock: MockClock) -> None:
    """
    CUT SHORT: a stop ends a backoff of an hour, and the wait for a sibling's, at once.
    """
    options = Options(backoff_min_seconds=3600, backoff_max_seconds=3600)
    s = SupervisorSpec(
        name="s",
        children=[Crasher, type("Other", (Crasher,), {})],
        strategy="one_for_all",
        max_restarts=9,
    )
    async with running(s, options=options) as server:
        for _ in range(2):
            server.root.find("/residents/s/crasher").cast({"type": "crash"})
            await trio.sleep(1)
        states = [each.state for each in server.root.supervisor("/residents/s").children()]
        assert states == ["waiting", "waiting"]
        began = trio.current_time()
    assert trio.current_time() - began < 1


async def test_a_turn() -> None:
    """
    A TURN: with all pauses off, others run between any two incarnations of a child that fails.
    """
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.sleep(0)

    class Hopeless(Crasher):
        async def restarted(self, reason):
            raise LookupError("again")

    options = Options(backoff_min_seconds=0)
    child = type("Child", (Hopeless,), {"max_restarts": None})
    async with running(child, options=options) as server:
        restarts = watch(server, "slot.crashed")
        server.start_soon(count)
        server.root.find("/residents/child").cast({"type": "crash"})
        before = turns
        await restarts.until(200)
        assert turns - before > 100
        server.root.find("/residents/child").stop()
        await settle(lambda: not server.root.residents.left())
