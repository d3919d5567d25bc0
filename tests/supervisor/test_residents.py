# Residents: started in order, stopped in reverse, restarted, parked, given up.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names, watch
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import StartupFailed, serve, virtual_clock
from greenroom.supervisor import ChildSpec, Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Logged(Actor):
    """Writes down when it starts and stops; fails when told to."""

    log: list[str]
    me = ""

    async def started(self):
        self.log.append(f"{self.me} started")

    async def stopped(self, reason):
        self.log.append(f"{self.me} stopped: {reason}")

    @handles("boom")
    async def boom(self, message):
        raise ValueError("boom")

    @handles("epoch")
    async def on_epoch(self, message):
        return self.epoch

    @handles("stop")
    async def on_stop(self, message):
        self.stop("done")


def resident(
    name: str, log: list[str], base: type[Actor] = Logged, **attributes: Any
) -> type[Actor]:
    return type(name, (base,), {"me": name, "log": log} | attributes)


async def test_started_in_order_and_stopped_in_reverse() -> None:
    """
    Children start one after the other, as listed, and stop the other way round.
    """
    log: list[str] = []
    async with running(*[resident(name, log) for name in "ABC"]) as server:
        assert log == ["A started", "B started", "C started"]
        paths = [node.path for node in server.root.snapshot().children[1].children]
        assert paths == ["/residents/a", "/residents/b", "/residents/c"]

    assert log[3:] == [f"{name} stopped: shutdown" for name in "CBA"]


@pytest.mark.parametrize("sync", [False, True])
async def test_a_failed_start_stops_the_others_in_reverse(sync: bool) -> None:
    """
    A child that fails to start fails the startup with its name; those before it are stopped.
    """
    log: list[str] = []

    async def fails(self):
        raise ValueError("no radio")

    def fails_too(self):
        raise ValueError("no radio")

    bad = resident("Bad", log, started=fails_too if sync else fails)
    children = [resident("A", log), resident("B", log), bad, resident("Never", log)]
    with pytest.raises(StartupFailed) as failed:
        async with serve(Application(children=children)):
            pytest.fail("it started")

    assert str(failed.value) == "/residents/bad failed to start: ValueError: no radio"
    assert log == [
        "A started", "B started", "Bad stopped: crashed", "B stopped: shutdown",
        "A stopped: shutdown",
    ]  # fmt: skip
    assert not any("/residents" in name for name in task_names())


async def test_a_start_that_hangs_fails(clock: MockClock) -> None:
    """
    A child whose started() does not return in time fails the startup; nothing hangs.
    """
    log: list[str] = []

    async def hangs(self):
        await trio.sleep_forever()

    children = [resident("A", log), resident("Bad", log, started=hangs)]
    with pytest.raises(StartupFailed, match=r"started\(\) did not return within 10 s"):
        async with serve(Application(children=children)):
            pytest.fail("it started")

    assert log == ["A started", "Bad stopped: it did not start in time", "A stopped: shutdown"]


async def test_a_child_that_crashes_is_restarted_alone() -> None:
    """
    one_for_one: the sibling of a crashed child does not notice.
    """
    log: list[str] = []
    async with running(resident("A", log), resident("B", log)) as server:
        restarted = watch(server, "slot.restarted")
        server.root.find("/residents/a").cast({"type": "boom"})
        event = await restarted.until()

        assert event.path == "/residents/a"
        epochs = [await server.root.find(f"/residents/{n}").call({"type": "epoch"}) for n in "ab"]
        assert epochs == [2, 1]
    assert log[:3] == ["A started", "B started", "A started"]


async def test_a_spent_budget_parks(clock: MockClock) -> None:
    """
    A resident that spent its budget parks: readiness suffers, then it has a fresh one.
    """
    log: list[str] = []
    async with running(resident("A", log, max_restarts=1), resident("B", log)) as server:
        ref = server.root.find("/residents/a")
        parked, restarted = watch(server, "slot.parked"), watch(server, "slot.restarted")
        assert server.root.readiness() == []
        ref.cast({"type": "boom"})
        ref.cast({"type": "boom"})
        event = await parked.until()

        began = trio.current_time()
        assert event.facts == {"seconds": 30.0}
        assert server.root.readiness() == ["/residents/a is not up"]
        snapshot = server.root.snapshot().find("/residents/a")
        assert snapshot is not None
        assert (snapshot.state, snapshot.restarts_left) == ("parked", 1)
        assert server.root.up

        await restarted.until(2, seconds=60)
        assert round(trio.current_time() - began) == 30
        assert server.root.readiness() == []
        assert await ref.call({"type": "epoch"}) == 3


async def test_a_parked_child_stops_at_once(clock: MockClock) -> None:
    """
    Shutdown does not wait for a parked child to wake; its stopped() runs.
    """
    log: list[str] = []
    async with running(resident("A", log, max_restarts=0)) as server:
        parked = watch(server, "slot.parked")
        server.root.find("/residents/a").cast({"type": "boom"})
        await parked.until()
        began = trio.current_time()

    assert trio.current_time() - began < 2
    assert log == ["A started", "A stopped: shutdown"]


async def test_on_exceeded_stop() -> None:
    """
    on_exceeded="stop" ends the child; the root goes on, and is not ready.
    """
    log: list[str] = []
    child = resident("A", log, max_restarts=0, on_exceeded="stop")
    async with running(child) as server:
        ended = watch(server, "slot.ended")
        server.root.find("/residents/a").cast({"type": "boom"})
        await ended.until()

        assert server.root.up
        assert server.root.readiness() == ["/residents/a is not up"]
        [gave_up] = happened(server, "slot.gave_up", "/residents/a")
        assert gave_up.facts == {"restarts": 0, "exception": "ValueError"}
    assert log == ["A started", "A stopped: crashed"]


async def test_on_exceeded_escalate() -> None:
    """
    on_exceeded="escalate" takes the root down: connections are refused with 503.
    """
    log: list[str] = []
    child = resident("A", log, max_restarts=0, on_exceeded="escalate")
    async with running(child) as server:
        ended = watch(server, "slot.ended")
        server.root.find("/residents/a").cast({"type": "boom"})
        await ended.until()

        assert server.root.state == "down"
        down = "root is down, because /residents/a escalated"
        assert server.root.readiness() == [down, "/residents/a is not up"]
        answer = await server.http("GET", "/")
        assert (answer.status, answer.body) == (503, b"the supervisor is down\n")
        assert (b"retry-after", b"5") in answer.headers


async def test_a_child_that_stops_itself_has_ended() -> None:
    """
    stop() in a handler ends a transient resident after that handler, without a restart.
    """
    log: list[str] = []
    async with running(resident("A", log, restart="transient")) as server:
        ref = server.root.find("/residents/a")
        await ref.call({"type": "stop"})
        await settle(lambda: not ref.alive)
        assert happened(server, "slot.restarted") == []

    assert log == ["A started", "A stopped: done"]


async def test_specs_give_arguments_and_names() -> None:
    """
    A ChildSpec names its child and gives each incarnation its arguments.
    """

    class Greeter(Actor):
        def __init__(self, word, loud=False):
            self.word = word.upper() if loud else word

        @handles("greet")
        def greet(self, message):
            return self.word

    spec = ChildSpec(actor=Greeter, name="hello", kwargs={"word": "hi", "loud": True})
    async with running(spec, ChildSpec(actor=Greeter, kwargs={"word": "ho"})) as server:
        words = [
            await server.root.find(f"/residents/{name}").call({"type": "greet"})
            for name in ("hello", "greeter")
        ]

    assert words == ["HI", "ho"]


async def test_two_children_of_one_name_fail_the_startup() -> None:
    """
    Two children with one name are refused with what to do about it, not with a traceback.
    """
    log: list[str] = []
    child = resident("Twin", log)
    with pytest.raises((StartupFailed, ValueError), match="two children are named twin. Give one"):
        async with serve(Application(children=[child, child])):
            pytest.fail("it started")

    assert log == []


async def test_a_child_that_will_not_stop_is_unkillable(clock: MockClock) -> None:
    """
    A resident whose task ignores its cancellation is reported, and the others still stop.
    """
    log: list[str] = []
    release = trio.Event()

    class Stubborn(Logged):
        async def started(self):
            self.start_soon(self.ignore)

        async def ignore(self):
            with trio.CancelScope(shield=True):
                await release.wait()

    children = [resident("A", log), resident("B", log, Stubborn), resident("C", log)]
    async with running(*children, options=Options(shutdown_seconds=2)) as server:
        unkillable = watch(server, "slot.unkillable")
        server.start_soon(_release_after, unkillable, release)

    assert [event.path for event in unkillable.seen] == ["/residents/b"]
    assert "in ignore" in str(unkillable.seen[0].facts["stack"])
    assert log[-3:] == [f"{name} stopped: shutdown" for name in "CBA"]


async def _release_after(unkillable: Any, release: trio.Event) -> None:
    await unkillable.until()
    release.set()
