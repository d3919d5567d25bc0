# Pools of tasks: run(), and how tasks end. What start() tells whom is in test_task_pool_start.py.

import functools
import gc
import logging
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, ActorNotFound, WrongSide, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import (
    AlreadyStarted,
    ChildNotFound,
    Options,
    Supervisor,
    SupervisorStopping,
    TaskPool,
    TaskPoolSpec,
    TaskStopped,
    TaskTimeout,
    TooManyChildren,
    current_root,
)

PATH = "/residents/tasks"
POOL = TaskPoolSpec(name="tasks", max_tasks=2, shutdown_seconds=2)


@pytest.fixture
def clock() -> MockClock:
    """
    Time that jumps ahead whenever nothing else is left to do; a test has to ask for it.
    """
    return virtual_clock()


class Diary:
    """What happened, a line each; its methods are the tasks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entered = threading.Event()
        self.released = threading.Event()

    async def sleep(self, seconds: float) -> str:
        self.lines.append("begun")
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            self.lines.append(f"cancelled at {trio.current_time():g}")
            raise
        return f"slept {seconds:g}"

    def block(self) -> str:
        self.entered.set()
        self.released.wait(30)
        return "released"

    async def fail(self, text: str) -> None:
        await trio.sleep(1)
        raise ValueError(text)

    async def stubborn(self, seconds: float) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


def pool_of(server: ServerDriver) -> tuple[TaskPool, Supervisor]:
    """Return the pool, as who has work and as an operator sees it."""
    return server.root.task_pool(PATH), server.root.supervisor(PATH)


def double(number: int) -> tuple[int, str]:
    return 2 * number, threading.current_thread().name


async def double_on_trio(number: int) -> tuple[int, str]:
    await trio.sleep(1)
    return 2 * number, threading.current_thread().name


async def test_functions_of_both_kinds(clock: MockClock) -> None:
    """
    A `def` function runs in a worker thread of the tree, an `async def` one on trio.
    """
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        assert await pool.run(double, 4) == (8, "consumers-1")
        assert await pool.run(double_on_trio, 4) == (8, threading.current_thread().name)
        assert await pool.run(functools.partial(double_on_trio, 5)) == (10, "MainThread")
        assert supervisor.counts().specs == 0


async def test_a_task_is_a_child(clock: MockClock) -> None:
    """
    A task that runs has a path, is counted, listed and shown in the tree, and then is gone.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        server.start_soon(pool.run, diary.sleep, 5)
        await trio.sleep(1)
        assert server.root.find(f"{PATH}/sleep-1").alive
        counts = supervisor.counts()
        assert (counts.active, counts.workers) == (1, 1)
        (child,) = supervisor.children()
        assert (child.name, child.state) == ("sleep-1", "running")
        assert "sleep-1" in server.root.render()
        await trio.sleep(5)
        assert supervisor.children() == []
        with pytest.raises(ActorNotFound):
            server.root.find(f"{PATH}/sleep-1")


async def test_what_it_raises_is_raised(clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """
    The caller gets what the task raised, the log one line of it without a traceback.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(ValueError, match="no room") as raised:
            await pool.run(diary.fail, "no room")
        assert [each.name for each in raised.traceback][-1] == "fail"
        assert (await pool.run(double, 1))[0] == 2
        (crash,) = happened(server, "slot.crashed")

    assert crash.path == f"{PATH}/fail-1"
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.levelno == logging.ERROR
    assert "error ValueError: no room" in record.getMessage()
    assert record.exc_info is None
    assert happened(server, "supervisor.gave_up") == []


async def test_a_timeout(clock: MockClock) -> None:
    """
    Past its timeout a task is cancelled at once, and forgotten; its caller is told.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        began = trio.current_time()
        with pytest.raises(TaskTimeout, match=f"{PATH}/sleep-1 was not done within 3 s"):
            await pool.run(diary.sleep, 50, timeout=3)
        await trio.sleep(0.1)
        assert diary.lines == ["begun", f"cancelled at {began + 3:g}"]
        assert supervisor.counts().specs == 0
        assert await pool.run(diary.sleep, 50, timeout=60) == "slept 50"


async def test_a_cancelled_caller(clock: MockClock) -> None:
    """
    A caller that is cancelled takes its task along, and does not wait for its end.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        began = trio.current_time()
        with trio.move_on_after(2) as scope:
            await pool.run(diary.stubborn, 5)
        assert scope.cancelled_caught
        assert trio.current_time() == began + 2
        assert supervisor.counts().active == 1
        await trio.sleep(10)
        assert supervisor.counts().specs == 0


async def test_a_caller_that_is_cancelled_already() -> None:
    """
    Who is cancelled before begins nothing.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.run(diary.sleep, 1)
        assert scope.cancelled_caught
        assert happened(server, "slot.started") == []
        assert diary.lines == []


async def test_an_actor_that_ends_takes_along_what_it_waits_for(clock: MockClock) -> None:
    """
    A task that a handler waits for is cut off when the actor's time to stop is over.
    """
    diary = Diary()

    class Asker(Actor):
        shutdown_seconds = 1
        restart = "temporary"

        @handles("ask")
        async def on_ask(self, message):
            await current_root().task_pool(PATH).run(diary.sleep, 50)

    async with running(POOL, Asker) as server:
        _, supervisor = pool_of(server)
        asker = server.root.find("/residents/asker")
        asker.cast({"type": "ask"})
        await trio.sleep(1)
        assert supervisor.counts().active == 1
        asker.stop()
        await trio.sleep(1.1)
        assert diary.lines[1].startswith("cancelled")
        assert supervisor.counts().specs == 0


async def test_a_place_is_free_when_run_returns() -> None:
    """
    A pool of one runs a hundred tasks, one after the other.
    """
    async with running(TaskPoolSpec(name="tasks", max_tasks=1)) as server:
        pool, _ = pool_of(server)
        results = [(await pool.run(double, number))[0] for number in range(100)]

    assert results == [2 * number for number in range(100)]


async def test_too_many(clock: MockClock) -> None:
    """
    One task more than there may be is refused at once; the others do not notice.
    """
    diary = Diary()
    async with running(POOL) as server, trio.open_nursery() as nursery:
        pool, _ = pool_of(server)
        for _ in range(2):
            nursery.start_soon(pool.run, diary.sleep, 5)
        await trio.sleep(1)
        began = trio.current_time()
        message = "has 2 children, as many as it may \\(max_tasks\\)"
        with pytest.raises(TooManyChildren, match=message):
            await pool.run(diary.sleep, 5)
        assert trio.current_time() == began
    assert diary.lines == ["begun", "begun"]


async def test_a_task_that_is_stopped(clock: MockClock) -> None:
    """
    A task that is stopped by its name has its seconds; who waits gets its result, or TaskStopped.
    """
    diary = Diary()
    heard: list[object] = []

    async def ask(pool: TaskPool, seconds: float, name: str) -> None:
        try:
            heard.append(await pool.run(diary.sleep, seconds, name=name))
        except TaskStopped as error:
            heard.append(str(error))

    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, pool, 2, "short")
            nursery.start_soon(ask, pool, 50, "long")
            await trio.sleep(1)
            for name in ("short", "long"):
                nursery.start_soon(supervisor.stop_child, name)
        assert heard == [
            "slept 2",
            f"{PATH}/long was stopped before it was done: stopped by hand",
        ]
        with pytest.raises(ChildNotFound):
            await supervisor.stop_child("long")


async def test_one_that_never_had_a_thread() -> None:
    """
    A `def` task that is stopped while all threads are busy never runs, and has no result.
    """
    diary, heard = Diary(), list[str]()

    async def ask(pool: TaskPool) -> None:
        with pytest.raises(TaskStopped) as raised:
            await pool.run(heard.append, "it ran", name="late")
        heard.append(raised.value.reason)

    async with running(POOL, options=Options(consumer_threads=1)) as server:
        pool, supervisor = pool_of(server)
        pool.start(diary.block)
        await trio.to_thread.run_sync(diary.entered.wait)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, pool)
            await settle(lambda: server.root.pool.statistics().queued)
            nursery.start_soon(supervisor.stop_child, "late")
            await wait_all_tasks_blocked()
            diary.released.set()

    assert heard == ["stopped by hand"]


async def test_what_a_thread_returns_behind_the_end() -> None:
    """
    What a thread returns after its task was cut off is dropped; the thread is on record.
    """
    diary = Diary()
    async with running(TaskPoolSpec(name="tasks", shutdown_seconds=0)) as server:
        pool, supervisor = pool_of(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run, diary.block)
            await trio.to_thread.run_sync(diary.entered.wait)
            nursery.cancel_scope.cancel()
        await settle(lambda: not supervisor.counts().specs)
        diary.released.set()
        await settle(lambda: not server.root.pool.statistics().running)
        assert [each.path for each in happened(server, "thread.abandoned")] == [f"{PATH}/block-1"]
        assert happened(server, "message.dead_letter") == []


async def test_what_is_raised_behind_a_timeout(
    clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What a task raises after it was cut off has a traceback in the log: nobody else gets it.
    """

    async def clumsy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("no way to clean up")

    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TaskTimeout):
            await pool.run(clumsy, timeout=1)
        await trio.sleep(1)

    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)


async def test_a_fatal_task(clock: MockClock) -> None:
    """
    SystemExit in a task is fatal for it alone: the caller gets TaskStopped, with the cause.
    """

    async def leave() -> None:
        raise SystemExit(3)

    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TaskStopped, match="SystemExit: 3") as raised:
            await pool.run(leave)
        assert isinstance(raised.value.__cause__, SystemExit)
        assert [each.path for each in happened(server, "slot.fatal")] == [f"{PATH}/leave-1"]
        assert (await pool.run(double, 1))[0] == 2


async def test_an_error_that_is_no_exception() -> None:
    """
    What is no Exception goes no further: the caller gets TaskStopped, with the cause.
    """

    class Odd(BaseException):
        pass

    async def odd() -> None:
        raise Odd("one of a kind")

    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TaskStopped, match="one of a kind") as raised:
            await pool.run(odd)
        assert isinstance(raised.value.__cause__, Odd)


async def test_an_unkillable_task(clock: MockClock) -> None:
    """
    A task that will not end is reported unkillable, with its stack; its caller waits no longer.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(TaskStopped, match="did not end in time"):
                    await pool.run(diary.stubborn, 500)

            nursery.start_soon(ask)
            await trio.sleep(1)
            await supervisor.stop_child("stubborn-1")
        (event,) = happened(server, "slot.unkillable")
        assert "stubborn" in str(event.facts["stack"])
        assert supervisor.counts().specs == 0
        await trio.sleep(1000)
        assert happened(server, "slot.fatal") == happened(server, "supervisor.crashed") == []


class Thing:
    """Something that can be looked for."""


async def test_not_kept(clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    """
    NOT KEPT: who holds the reference of an ended task holds nothing else of it.
    """
    caplog.set_level(logging.CRITICAL, "greenroom")  # pytest keeps the tracebacks that are logged
    lives: list[weakref.ref[Any]] = []
    seen, freed = trio.Event(), trio.Event()

    async def work(thing: Thing) -> Thing:
        lives.append(weakref.ref(thing))
        result = Thing()
        lives.append(weakref.ref(result))
        return result

    async def fail(thing: Thing) -> None:
        lives.append(weakref.ref(thing))
        raise ValueError(thing)

    async def stubborn(thing: Thing) -> Thing:
        with trio.CancelScope(shield=True):
            await freed.wait()
        return await work(thing)

    async def watched(thing: Thing) -> Thing:
        await seen.wait()
        return await work(thing)

    async def ask(pool: TaskPool) -> None:
        await pool.run(watched, Thing())
        with pytest.raises(ValueError, match="Thing"):
            await pool.run(fail, Thing())

    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        refs = [pool.start(work, Thing()), pool.start(fail, Thing())]
        await settle(lambda: not supervisor.counts().specs)
        server.start_soon(ask, pool)
        await settle(lambda: supervisor.counts().specs)
        refs.append(server.root.find(f"{PATH}/{supervisor.children()[0].name}"))
        seen.set()
        await settle(lambda: len(lives) == 6 and not supervisor.counts().specs)
        refs.append(pool.start(stubborn, Thing(), name="stubborn"))
        await settle(lambda: supervisor.counts().active)
        await supervisor.stop_child("stubborn")
        assert happened(server, "slot.unkillable")
        freed.set()
        await settle(lambda: len(lives) == 8 and not any(each.alive for each in refs))
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert len(lives) == 8
        assert [each() for each in lives] == [None] * 8


async def test_thousands_leave_nothing() -> None:
    """
    Two thousand tasks, of which each fourth fails, leave the tree as it was.
    """

    async def odd(number: int) -> int:
        if not number % 4:
            raise ValueError(number)
        return number

    async with running(TaskPoolSpec(name="tasks", max_tasks=None)) as server:
        pool, supervisor = pool_of(server)
        before = sorted(task_names())
        for number in range(2000):
            pool.start(odd, number)
        assert supervisor.counts().specs == 2000
        await settle(lambda: not supervisor.counts().specs)
        assert supervisor.children() == []
        assert sorted(task_names()) == before
        assert not [path for path in server.root._refs if path.startswith(PATH)]
        assert len(supervisor._abandoned) == 0


async def test_a_task_runs_in_the_context_of_the_tree(clock: MockClock) -> None:
    """
    A task finds its tree, also when it is begun from outside; it sees nothing of its caller's.
    """
    mine: ContextVar[str] = ContextVar("mine", default="nothing")

    async def look() -> tuple[object, str]:
        return current_root(), mine.get()

    def look_in_thread() -> tuple[object, str]:
        return current_root(), mine.get()

    async with running(POOL) as server:
        pool, _ = pool_of(server)
        mine.set("a request")
        assert await pool.run(look) == (server.root, "nothing")
        assert await pool.run(look_in_thread) == (server.root, "nothing")


async def test_names(clock: MockClock) -> None:
    """
    A task is named after its function and numbered, or as it is told; a name is there once.
    """
    odd = functools.partial(trio.sleep, 5)
    functools.update_wrapper(odd, double)
    unfit = functools.partial(double, 1)

    def renamed() -> None:
        pass

    renamed.__qualname__ = "not a name"
    async with running(TaskPoolSpec(name="tasks")) as server:
        pool, _ = pool_of(server)
        paths = [
            pool.start(function).path.removeprefix(f"{PATH}/")
            for function in (lambda: None, unfit, renamed, Thing)
        ]
        assert paths == ["<lambda>-1", "double-2", "task-3", "Thing-4"]
        assert pool.start(trio.sleep, 5, name="nap").path == f"{PATH}/nap"
        with pytest.raises(AlreadyStarted):
            pool.start(trio.sleep, 5, name="nap")
        with pytest.raises(ValueError, match="no slash and no space. Got: 'a/b'"):
            pool.start(trio.sleep, 5, name="a/b")


async def generates() -> Any:
    yield 1


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "made of a function and its arguments. Got: None"),
    "a generator": (generates, "a task returns, it does not yield. Got"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_function_is_refused(case: str) -> None:
    """
    What cannot be run once is refused before anything is begun.
    """
    function, message = REFUSED[case]
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TypeError, match=message):
            await pool.run(function)
        with pytest.raises(TypeError, match=message):
            pool.start(function)
        assert happened(server, "slot.started") == []


async def test_a_coroutine_is_refused() -> None:
    """
    A coroutine where its function belongs is refused, with what to write; it is closed.
    """
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TypeError, match="write pool.run\\(fetch, url\\), not"):
            pool.start(double_on_trio(1))  # type: ignore[arg-type]


async def test_a_coroutine_that_nobody_awaits(clock: MockClock) -> None:
    """
    A `def` function that returns a coroutine has failed: its body would never run.
    """
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(TypeError, match="a coroutine that nobody awaits"):
            await pool.run(lambda: double_on_trio(1))


async def test_what_a_pool_does_not_do(clock: MockClock) -> None:
    """
    A pool takes no other children, and restarts none.
    """
    async with running(POOL) as server:
        pool, supervisor = pool_of(server)
        pool.start(trio.sleep, 5, name="nap")
        with pytest.raises(TypeError, match="is a pool of tasks: use root.task_pool"):
            await supervisor.add(Actor)
        with pytest.raises(TypeError, match="which are run once. Got: 'nap'"):
            await supervisor.restart_child("nap")
        with pytest.raises(ChildNotFound):
            await supervisor.restart_child("none")
        for timeout in (-1, "1"):
            with pytest.raises((TypeError, ValueError), match="timeout must be .* Got: "):
                await pool.run(double, 1, timeout=timeout)  # type: ignore[arg-type]
        assert repr(pool) == f"<TaskPool {PATH}>"


async def test_a_pool_that_is_not_there(clock: MockClock) -> None:
    """
    Only pools are found as pools; one that stops or is down starts nothing, and then it does again.
    """
    async with running(POOL) as server:
        residents = server.root.supervisor("/residents")
        for path in ("/residents", "/residents/none"):
            with pytest.raises(ActorNotFound):
                server.root.task_pool(path)
        pool, _ = pool_of(server)
        pool.start(trio.sleep, 50)
        server.start_soon(residents.stop_child, "tasks")
        await trio.sleep(1)
        with pytest.raises(SupervisorStopping):
            pool.start(double, 1)
        await trio.sleep(10)
        with pytest.raises(ActorNotFound):
            await pool.run(double, 1)
        await residents.start_child("tasks")
        assert (await pool.run(double, 1))[0] == 2


async def test_threads_use_the_other_methods() -> None:
    """
    What belongs on trio refuses threads, and says what to call there.
    """
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        with pytest.raises(WrongSide, match=r"pool.run_blocking\(...\)"):
            await trio.to_thread.run_sync(lambda: trio.run(pool.run, double, 1))
        with pytest.raises(WrongSide, match=r"pool.start_blocking\(...\)"):
            await trio.to_thread.run_sync(pool.start, double, 1)
        with pytest.raises(WrongSide, match=r"await pool.run\(...\)"):
            pool.run_blocking(double, 1)
        with pytest.raises(WrongSide, match=r"pool.start\(...\)"):
            pool.start_blocking(double, 1)


SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "no tasks": ({"max_tasks": 0}, "max_tasks must be at least 1. Got: 0"),
    "half a task": ({"max_tasks": 1.5}, "max_tasks must be a whole number.*Got: 1.5"),
    "no time": ({"shutdown_seconds": -1}, "shutdown_seconds must be .* Got: -1"),
    "no name": ({"name": ""}, "a name must have .* Got: ''"),
    "children": ({"children": [Actor]}, "unexpected keyword argument 'children'"),
    "restarts": ({"restart": "permanent"}, "unexpected keyword argument 'restart'"),
    "max_children": ({"max_children": 3}, "unexpected keyword argument 'max_children'"),
}


@pytest.mark.parametrize("case", SPECS)
def test_specs_that_are_refused(case: str) -> None:
    """
    A pool's spec refuses what is out of range, and what makes no sense for tasks.
    """
    options, message = SPECS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        TaskPoolSpec(**{"name": "tasks", **options})


@pytest.mark.parametrize("act", ["restart", "describe", "wake", "reset_budget"])
async def test_a_task_is_run_once_whatever_an_operator_asks(clock: MockClock, act: str) -> None:
    """
    What an operator may do to an actor by hand is refused for a task, which goes on.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        pool.start(diary.sleep, 5, name="nap")
        await trio.sleep(1)
        with pytest.raises(TypeError, match=f"{PATH}/nap is a task of a pool"):
            did = getattr(server.root, act)(f"{PATH}/nap")
            await did
        await trio.sleep(10)
        assert diary.lines == ["begun"]
        (end,) = happened(server, "slot.ended")
        assert (end.epoch, end.facts["reason"]) == (1, "done")


async def test_a_task_handles_no_messages_that_could_be_looked_at(clock: MockClock) -> None:
    """
    To suspend or to trace a task is refused, as its work is no message.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        pool.start(diary.sleep, 5, name="nap")
        for look in (server.root.suspensions, server.root.traces):
            with pytest.raises(TypeError, match=f"{PATH}/nap handles no messages"):
                look.begin(f"{PATH}/nap")


async def test_a_task_is_shown_as_what_it_is(clock: MockClock) -> None:
    """
    The tree names a task's function, and promises neither restarts nor messages.
    """
    diary = Diary()
    async with running(POOL) as server:
        pool, _ = pool_of(server)
        pool.start(diary.sleep, 5, name="nap")
        await trio.sleep(1)
        assert server.root.render().endswith("nap  Diary.sleep  running  epoch 1  restarts left 0")
