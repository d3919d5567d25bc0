# The watch on the loop and the pools. It looks at real time, so nothing here waits for a time
# to pass: a handler stands still until it has been told of, and a thread until it is let go.

import logging
import threading
import time
from typing import Any

import pytest
import trio
from helpers import Watch as Watching
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import Event, Options
from greenroom.supervisor._watch import Watch, _Question, patience

SOON = Options(loop_blocked_seconds=0.05, threads_busy_seconds=0.05)
PATH = "/residents/clumsy"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Told(logging.Handler):
    """
    Collects what the log says of one block, and lets a thread wait for it.

    Of one, told by a word of its own: a machine with much to do blocks the loop, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._of = ""
        self._news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        line = record.getMessage()
        if line.startswith("loop.blocked") and self._of and self._of in line:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def stand_still(self, of: str, lines: int = 1) -> None:
        """Hold the calling thread until so many lines were told *of* it."""
        self._of = of
        with self._news:
            assert self._news.wait_for(lambda: len(self.lines) >= lines, 60)


@pytest.fixture
def told() -> object:
    logger, handler = logging.getLogger("greenroom"), Told()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class Clumsy(Actor):
    """Does on the loop what belongs into a thread."""

    @handles("hold up")
    async def on_hold_up(self, message):
        message["told"].stand_still("handling 'hold up'", 2)

    @handles("hold up later")
    async def on_later(self, message):
        self.start_soon(self.hold_up_in_a_task, message["told"])

    async def hold_up_in_a_task(self, told):
        told.stand_still("hold_up_in_a_task")


def watch_of(server: ServerDriver) -> Watch:
    return server.root._watch


async def seen(events: Watching, fact: str, value: str) -> Event:
    """Return the first of *events* that has this fact."""
    await settle(lambda: any(each.facts.get(fact) == value for each in events.seen))
    return next(each for each in events.seen if each.facts.get(fact) == value)


async def test_named(told: Told) -> None:
    """
    A handler that stands still is named in the log meanwhile, with its line, then in one event.
    """
    async with running(Clumsy, options=SOON) as server:
        blocked = watch(server, "loop.blocked", PATH)
        server.root.find(PATH).cast({"type": "hold up", "told": told})
        event = await seen(blocked, "handling", "'hold up'")
        lag: Any = server.root.snapshot().facts["loop_lag"]

    assert (event.path, event.epoch) == (PATH, 1)
    stack = str(event.facts["stack"])
    assert "in on_hold_up" in stack
    assert "unrolled_run" not in stack
    assert lag["worst"] >= SOON.loop_blocked_seconds
    first, again, over = told.lines
    assert first.startswith(f"loop.blocked: {PATH} (epoch 1); seconds ")
    assert "over False" in first
    assert "in on_hold_up" in first
    assert "over False" in again
    assert "\n" not in again
    assert "over True" in over
    assert "\n" not in over


async def test_a_task_of_an_actor_is_named(told: Told) -> None:
    """
    A background task is told of as its actor's, by the name of its function.
    """
    async with running(Clumsy, options=SOON) as server:
        blocked = watch(server, "loop.blocked", PATH)
        server.root.find(PATH).cast({"type": "hold up later", "told": told})
        await seen(blocked, "task", f"{PATH}#1 Clumsy.hold_up_in_a_task")


async def test_who_is_no_actor_is_named_by_its_task(told: Told) -> None:
    """
    What holds the loop up and is no actor's is the root's event, with the name of the task.
    """

    async def stranger() -> None:
        told.stand_still("a stranger")

    async with running(options=SOON) as server, trio.open_nursery() as nursery:
        blocked = watch(server, "loop.blocked", "/")
        nursery.start_soon(stranger, name="a stranger")
        event = await seen(blocked, "task", "a stranger")

    assert (event.path, event.epoch) == ("/", 0)


async def test_a_process_that_stood_still_is_told_of() -> None:
    """
    Where this thread could not run either, the event says so, and has no stack.
    """
    async with running(options=SOON) as server:
        now = time.monotonic()
        watch_of(server)._answer(_Question(due=now - 9, asked=now))
        told: Any = [each.facts for each in happened(server, "loop.blocked")]

    worst = max(told, key=lambda facts: facts["seconds"])
    assert worst["reason"].startswith("the whole process stood still")
    assert "stack" not in worst


async def test_real_time(clock: MockClock) -> None:
    """
    Under a clock of tests there is no thread, and the tree has no figures of it.
    """
    async with running(Clumsy, options=SOON) as server:
        await trio.sleep(3600)
        assert watch_of(server)._thread is None
        assert "loop_lag" not in server.root.snapshot().facts


async def test_off() -> None:
    """
    With both options None there is no thread; with one of them the other half is off.
    """
    off = Options(loop_blocked_seconds=None, threads_busy_seconds=None)
    async with running(options=off) as server:
        assert watch_of(server)._thread is None
    async with running(options=Options(loop_blocked_seconds=None)) as server:
        assert watch_of(server)._thread is not None
        assert "loop_lag" not in server.root.snapshot().facts


async def test_ends() -> None:
    """
    There is one thread for a tree, which ends with it, and is a daemon until then.
    """
    async with running(Clumsy) as server:
        thread = watch_of(server)._thread
        assert thread.is_alive()
        assert thread.daemon

    await settle(lambda: not thread.is_alive())


async def test_a_pool_that_is_taken_names_its_jobs() -> None:
    """
    Work that waits for a thread is one event that says who has them all, and one when it is over.
    """
    let_go = threading.Event()

    class Slow(Actor):
        @handles("wait")
        def on_wait(self, message):
            assert let_go.wait(60)

    class Other(Actor):
        @handles("work")
        def on_work(self, message):
            return "done"

    options = Options(consumer_threads=1, threads_busy_seconds=0.05)
    async with running(Slow, Other, options=options) as server:
        busy, free = watch(server, "threads.busy"), watch(server, "threads.free")
        server.root.find("/residents/slow").cast({"type": "wait"})
        await settle(lambda: server.root.pool.statistics().running == 1)
        server.root.find("/residents/other").cast({"type": "work"})
        event = await busy.until()
        let_go.set()
        await free.until()

    assert (event.path, event.facts["pool"], event.facts["queued"]) == ("/", "consumers", 1)
    jobs: Any = event.facts["jobs"]
    assert [job.rpartition(" for ")[0] for job in jobs] == ["/residents/slow#1 on_wait"]


def test_patience() -> None:
    """
    A block is told of at once, at ten times the limit, then each minute.
    """
    seconds = patience(2.0)

    assert [next(seconds) for _ in range(4)] == [2.0, 20.0, 80.0, 140.0]
