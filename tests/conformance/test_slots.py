# What Pekko's suite of typed supervision checks of a crash, and more of our own about it: reference
# scenarios 88, 94 to 105, N1, N3 to N5, N11 and N14.

import pytest
import trio
from conformance.kit import (
    READ_AHEAD,
    ActorStopped,
    HandshakeRefused,
    Journal,
    StartupFailed,
    Tree,
    member,
    settle,
    sockets,
    tree,
)
from trio.testing import MockClock


async def test_94_a_restart_begins_anew_behind_the_same_reference(
    clock: MockClock, journal: Journal
) -> None:
    """
    One, crash, zero, by one reference; the hook of the restart ran once.
    """
    async with tree(journal, [member(journal, "a", tells=True)]) as t:
        ref = t.ref("a")
        assert await ref.call({"type": "add"}) == 1
        ref.cast({"type": "crash"})
        assert await ref.call({"type": "read"}) == 0
        assert journal.lines == ["+a", "~a boom", "+a"]


async def test_95_the_third_failure_within_the_window_ends_it(
    clock: MockClock, journal: Journal
) -> None:
    """
    Two restarts in a minute are forgiven, the third failure ends it, with its last hook.
    """
    limits = {"max_restarts": 2, "max_seconds": 60, "on_exceeded": "stop"}
    async with tree(journal, [member(journal, "a", tells=True, **limits)], budget="child") as t:
        ref = t.ref("a")
        for _ in range(3):
            ref.cast({"type": "crash"})
            await t.calm(10)
        with pytest.raises(ActorStopped):
            await ref.call({"type": "read"})
        assert journal.lines == ["+a", *["~a boom", "+a"] * 2, "-a crashed"]


async def test_96_the_budget_is_fresh_after_quiet(clock: MockClock, journal: Journal) -> None:
    """
    Two in half a second; after 0.55 seconds of quiet there are two again.
    """
    options = {"backoff_min_seconds": 0, "backoff_max_seconds": 0}
    spec = {"max_restarts": 2, "max_seconds": 0.5}
    async with tree(journal, [member(journal, "a")], options=options, **spec) as t:
        for _ in range(2):
            t.tell("a", "crash")
            t.tell("a", "crash")
            await t.calm(0.55)
        assert t.epochs() == {"a": 5}
        assert t.told("supervisor.gave_up") == []


async def test_97_resume(clock: MockClock, journal: Journal) -> None:
    """
    An error that the class forgives costs the message: the state is kept, the next one served.
    """
    child = member(journal, "a", supervise={ValueError: "resume"}, max_restarts=0)
    async with tree(journal, [child]) as t:
        assert await t.ask("a", "add") == 1
        t.tell("a", "crash")
        assert await t.ask("a", "add") == 2
        assert t.epochs() == {"a": 1}
        assert journal.lines == ["+a"]


async def test_99_backoff_doubles(clock: MockClock, journal: Journal) -> None:
    """
    Of 1 to 10 seconds without jitter, after the first at once: 1, 2, 4, 8, 10, 10.
    """
    options = {"backoff_min_seconds": 1.0, "backoff_max_seconds": 10.0}
    async with tree(journal, [member(journal, "a")], options=options, max_restarts=None) as t:
        crashes: list[float] = []
        for _ in range(7):
            crashes.append(trio.current_time())
            t.tell("a", "crash")
            await t.calm(20)
        _, *starts = journal.moments("+a")
        waits = [round(start - crash, 3) for start, crash in zip(starts, crashes, strict=True)]
        assert waits == [0, 1, 2, 4, 8, 10, 10]


async def test_102_a_restart_that_always_fails_ends_in_time(
    clock: MockClock, journal: Journal
) -> None:
    """
    Backoff from 0.2 s, two restarts, each failing to start: down within three seconds.
    """
    options = {"backoff_min_seconds": 0.2}
    spec = {"max_restarts": 2, "on_exceeded": "stop"}
    async with tree(journal, [member(journal, "a")], options=options, **spec) as t:
        s = t.s
        journal.fail("a", *[True] * 9)
        t.tell("a", "crash")
        with trio.fail_after(3):
            await s.ended.wait()
        assert t.told("slot.crashed") == ["a"] * 3
        assert len(journal.fails["a"]) == 7
        assert t.problems() == ["s"]


async def test_103_a_first_start_that_fails_is_not_tried_again(
    clock: MockClock, journal: Journal
) -> None:
    """
    It fails the startup at once, even with restarts without end.
    """
    journal.fail("a", True, False)
    with pytest.raises(StartupFailed, match="a can't start"):
        async with tree(journal, [member(journal, "a")], max_restarts=None):
            pytest.fail("it started")
    assert journal.fails["a"] == [False]


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
async def test_105_fatal_errors_are_not_supervised(
    clock: MockClock, journal: Journal, error: str
) -> None:
    """
    No restart and no count, whatever its class says of exceptions; the sibling goes on.
    """
    children = [member(journal, "a", supervise={Exception: "restart"}), member(journal, "b")]
    async with tree(journal, children) as t:
        t.tell("a", "kill", error=error)
        await t.calm()
        assert t.told("slot.fatal") == ["a"]
        assert t.told("slot.crashed") == t.told("slot.restarted") == []
        assert await t.ask("b", "add") == 1


async def test_88_idle(clock: MockClock, journal: Journal) -> None:
    """
    With an idle time of 1 s: a message at 0.5 s is in time; before one at 2 s the hook has run.
    """
    async with tree(journal, [member(journal, "a", idle_seconds=1.0)]) as t:
        await trio.sleep(0.5)
        t.tell("a", "note", text="in time")
        await trio.sleep(1.5)
        t.tell("a", "note", text="late")
        await t.calm()
        assert journal.since(1) == ["a in time", "a idle", "a late"]


async def test_n1_the_socket_stays_open(clock: MockClock, journal: Journal) -> None:
    """
    Three frames back to back, of which the second crashes: the third is answered by the next life.
    """
    async with sockets(journal) as t:
        [socket] = await t.many(1)
        for text in ("m1", "boom", "m3"):
            socket.send_text(text)
        assert [await socket.receive() for _ in range(2)] == ["1: m1", "2: m3"]
        assert journal.lines == ["boom"]
        assert t.events("connection.closed") == []
        socket.disconnect()


async def test_n3_a_flood_while_it_begins_anew(clock: MockClock, journal: Journal) -> None:
    """
    10,000 frames while a restart takes 300 ms: only so many are read ahead, none is lost.
    """
    async with sockets(journal, slow=0.3) as t:
        [socket] = await t.many(1)
        socket.send_text("boom")
        await t.calm(0.1)
        assert socket.slot.state == "starting"
        for number in range(10_000):
            socket.send_text(str(number))
        await t.calm(0.1)
        assert (socket.slot.epoch, t.waiting(socket)) == (2, READ_AHEAD)

        got = [await socket.receive() for _ in range(10_000)]
        assert got == [f"2: {number}" for number in range(10_000)]
        socket.disconnect()


async def test_n4_everybody_crashes_at_once(clock: MockClock, journal: Journal) -> None:
    """
    300 consumers crash in one moment: restarts are spread, new sockets refused, then all is well.
    """
    options = {"storm_restarts": 50, "storm_delay_seconds": 5.0}
    async with sockets(journal, options=options) as t:
        crowd = await t.many(300)
        journal.down = True
        for socket in crowd:
            socket.send_text("hello")
        await t.calm(0.001)
        journal.down = False
        assert t.up
        assert sum(socket.slot.state == "running" for socket in crowd) <= 50
        with pytest.raises(HandshakeRefused) as refused:
            await t.many(1)
        assert refused.value.status == 503
        await t.calm(6)
        assert {(each.slot.epoch, each.slot.state) for each in crowd} == {(2, "running")}
        assert t.events("connection.closed") == []
        [late] = await t.many(1)
        for socket in (late, *crowd):
            socket.disconnect()


async def test_n5_a_stop_closes_every_socket(clock: MockClock, journal: Journal) -> None:
    """
    A server that stops says so to each of 200 clients: 1012, and 1006 to none.
    """
    async with sockets(journal) as t:
        crowd = await t.many(200)
        t.start_soon(t.drain)
        assert {(await socket.closed()).code for socket in crowd} == {1012}


@pytest.fixture
def still() -> MockClock:
    """
    Time that moves when the test says so, and lets threads take theirs.
    """
    return MockClock()


async def test_n11_a_thread_that_was_left_behind(still: MockClock) -> None:
    """
    What a handler does that was abandoned in its thread reaches nobody; its place is accounted for.
    """
    journal, told = Journal("threads"), list[str]()

    async def ask(t: Tree) -> None:
        with pytest.raises(ActorStopped) as refused:
            await t.ask("a", "block")
        told.append(type(refused.value).__name__)

    children = [member(journal, "a", shutdown_seconds=1), member(journal, "b")]
    async with tree(journal, children, strategy="one_for_all") as t:
        t.start_soon(ask, t)
        await settle(lambda: "a blocked" in journal.lines)
        t.tell("b", "crash")
        await settle(lambda: t.told("supervisor.restarting"))
        still.jump(1.5)
        await settle(lambda: t.epochs() == {"a": 2, "b": 2} and t.states()["b"] == "running")
        assert journal.since(3) == ["-a", "+a", "+b"]
        assert (told, t.told("thread.abandoned"), t.abandoned()) == (["ActorStopped"], ["a"], 1)
        assert await t.ask("a", "add") == 1
        journal.gate.set()
        await settle(lambda: t.abandoned() == 0)
        assert journal.lines[-1] == "a goes on"
        assert t.broadcast("of the dead", type="note", text="hello") == 0
        assert t.told("work.stale") == ["a"]
        assert await t.ask("a", "add") == 2


async def test_n14_a_bug_of_the_supervisor_itself(clock: MockClock, journal: Journal) -> None:
    """
    S itself fails: its children are stopped in reverse, and the one above begins it anew.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children, strategy="one_for_all") as t:
        mend = t.break_s()
        t.tell("b", "crash")
        await t.calm()
        mend()
        await t.calm(1)
        assert journal.since(3) == ["-c", "-b", "-a", "+a", "+b", "+c"]
        assert t.told("supervisor.crashed") == [""]
        assert (t.epoch(), t.states()) == (2, dict.fromkeys("abc", "running"))
