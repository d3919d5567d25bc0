# Tasks that nobody waits for: whom start() tells, how often, and when.

import logging
import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, task_names
from trio.testing import MockClock

from greenroom.actors import Actor, ActorRef, Down, Overflow, UndeclaredMessage, handles
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import (
    Counts,
    Options,
    TaskDone,
    TaskFailed,
    TaskPool,
    TaskPoolSpec,
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


class Boss(Actor):
    """Starts what it is told, and keeps what it hears."""

    restart = "transient"
    keep = ["heard", "counted"]
    mailbox_capacity = 1

    def __init__(self) -> None:
        self.heard: list[TaskDone | TaskFailed | Down] = []
        self.counted: list[Counts] = []

    @handles("do")
    async def on_do(self, message: dict[str, Any]) -> object:
        return message["what"](self)

    @handles("rest")
    async def on_rest(self, message: dict[str, Any]) -> None:
        await trio.sleep(message["seconds"])

    @handles(TaskDone, TaskFailed, Down)
    async def on_end(self, message: TaskDone | TaskFailed | Down) -> None:
        self.heard.append(message)
        self.counted.append(current_root().supervisor(PATH).counts())


class Strict(Boss):
    overflow = Overflow.ERROR


async def double(number: int) -> int:
    await trio.sleep(1)
    return 2 * number


def double_in_thread(number: int) -> int:
    return 2 * number


async def fail() -> None:
    raise ValueError("no room")


async def leave() -> None:
    raise SystemExit(3)


def pool_and_boss(server: ServerDriver, name: str = "boss") -> tuple[TaskPool, ActorRef]:
    return server.root.task_pool(PATH), server.root.find(f"/residents/{name}")


async def heard(boss: ActorRef) -> list[Any]:
    """Return what *boss* has heard."""
    return await boss.call({"type": "do", "what": lambda self: list(self.heard)})


async def test_told_once(clock: MockClock) -> None:
    """
    TOLD ONCE: whatever ends a task, its receiver hears one message, and its place is free then.
    """
    async with running(TaskPoolSpec(name="tasks", max_tasks=1), Boss) as server:
        pool, boss = pool_and_boss(server)
        supervisor = server.root.supervisor(PATH)
        refs: list[ActorRef] = []
        for function, args in [(double, (4,)), (double_in_thread, (4,)), (fail, ()), (leave, ())]:
            refs.append(pool.start(function, *args, reply_to=boss))
            assert refs[-1].alive
            await trio.sleep(2)
        refs.append(pool.start(trio.sleep, 50, reply_to=boss))
        await trio.sleep(1)
        await supervisor.stop_child("sleep-5")
        assert await heard(boss) == [
            TaskDone(refs[0], f"{PATH}/double-1", 8),
            TaskDone(refs[1], f"{PATH}/double_in_thread-2", 8),
            TaskFailed(
                refs[2],
                f"{PATH}/fail-3",
                "crashed: after_start",
                "crashed",
                "ValueError: no room",
            ),
            TaskFailed(
                refs[3],
                f"{PATH}/leave-4",
                "crashed: after_start",
                "fatal",
                "SystemExit: 3",
            ),
            TaskFailed(refs[4], f"{PATH}/sleep-5", "stopped by hand", "stopped"),
        ]
        counted = await boss.call({"type": "do", "what": lambda self: self.counted})
        assert counted == [Counts(0, 0, 0, 0)] * 5


async def test_told_once_of_an_unkillable_one(clock: MockClock) -> None:
    """
    A task that will not end has failed when it is given up; its late result reaches nobody.
    """

    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        return "late"

    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        pool.start(stubborn, reply_to=boss)
        await trio.sleep(1)
        await server.root.supervisor(PATH).stop_child("stubborn-1")
        await trio.sleep(200)
        (message,) = await heard(boss)
        assert (message.kind, message.reason) == (
            "stopped",
            "it was told to stop, and did not end in time",
        )


async def test_one_that_is_stopped_before_it_begins(clock: MockClock) -> None:
    """
    A task that is stopped in the very moment it was started never runs, and is told of.
    """
    ran: list[str] = []
    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)

        async def work() -> None:
            ran.append("it ran")

        pool.start(work, reply_to=boss).stop("changed my mind")
        await trio.sleep(1)
        (message,) = await heard(boss)
        assert (message.kind, message.reason) == ("stopped", "changed my mind")
        assert ran == []


async def test_a_failure_does_not_touch_the_starter(
    clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A task that fails is one event and one line of log with its traceback; its starter lives on.
    """
    async with running(POOL, Boss) as server:
        _, boss = pool_and_boss(server)
        start = {"type": "do", "what": lambda self: current_root().task_pool(PATH).start(fail)}
        assert (await boss.call(start)).path == f"{PATH}/fail-1"
        await trio.sleep(1)
        assert await boss.call({"type": "do", "what": lambda self: self.epoch}) == 1
        assert [each.path for each in happened(server, "slot.crashed")] == [f"{PATH}/fail-1"]

    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
    assert server.root.readiness() == ["root is stopped"]


async def test_the_starter_may_end(clock: MockClock) -> None:
    """
    A task goes on when its starter crashes, and then when he ends; the outcome is a dead letter.
    """

    class Crash(Exception):
        pass

    def crash(self: Boss) -> None:
        raise Crash

    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        pool.start(double, 1, reply_to=boss)
        boss.cast({"type": "do", "what": crash})
        await trio.sleep(2)
        assert [each.value for each in await heard(boss)] == [2]
        ref = pool.start(double, 2, reply_to=boss)
        boss.stop()
        await trio.sleep(0.5)
        assert ref.alive
        assert not boss.alive
        await trio.sleep(1)
        (letter,) = happened(server, "message.dead_letter")
        assert letter.path == "/residents/boss"


async def test_bounded(clock: MockClock) -> None:
    """
    BOUNDED: outcomes for a full mailbox keep their tasks' places until there is room.
    """
    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        supervisor = server.root.supervisor(PATH)
        boss.cast({"type": "rest", "seconds": 10})
        await trio.sleep(0.1)
        boss.cast({"type": "rest", "seconds": 0})  # one message: the mailbox is full
        pool.start(double, 1, reply_to=boss)
        pool.start(fail, reply_to=boss)
        await trio.sleep(5)
        assert supervisor.counts() == Counts(2, 0, 0, 2)
        assert server.root.readiness() == []
        with pytest.raises(TooManyChildren):
            pool.start(double, 2)
        await trio.sleep(10)
        assert supervisor.counts().specs == 0
        told = await heard(boss)
        assert [type(each) for each in told] == [TaskFailed, TaskDone]
        assert happened(server, "message.dead_letter") == []


async def test_a_mailbox_that_becomes_high(clock: MockClock) -> None:
    """
    An outcome that makes its receiver's mailbox high is told as any: the task's place is free.
    """

    class Roomy(Boss):
        mailbox_capacity = 10

    async with running(POOL, Roomy) as server:
        pool, boss = pool_and_boss(server, "roomy")
        boss.cast({"type": "rest", "seconds": 10})
        await trio.sleep(0.1)
        for _ in range(7):
            boss.cast({"type": "rest", "seconds": 0})
        assert happened(server, "mailbox.high") == []
        pool.start(double, 1, reply_to=boss)
        await trio.sleep(2)
        assert server.root.supervisor(PATH).counts().specs == 0
        assert [each.path for each in happened(server, "mailbox.high")] == [boss.path]
        await trio.sleep(10)
        assert [each.value for each in await heard(boss)] == [2]


async def test_bounded_also_by_hand(clock: MockClock) -> None:
    """
    BOUNDED: a task that is stopped by hand keeps its place, too, as long as its outcome waits.
    """
    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        supervisor = server.root.supervisor(PATH)
        boss.cast({"type": "rest", "seconds": 10})
        await trio.sleep(0.1)
        boss.cast({"type": "rest", "seconds": 0})
        pool.start(trio.sleep_forever, reply_to=boss, name="nap")
        await trio.sleep(1)
        await supervisor.stop_child("nap")
        assert supervisor.counts().specs == 1
        await trio.sleep(10)
        assert supervisor.counts().specs == 0
        assert [each.path for each in await heard(boss)] == [f"{PATH}/nap"]


async def test_a_pool_that_stops_with_a_full_mailbox_before_it(clock: MockClock) -> None:
    """
    A pool's end waits for no mailbox: what its tasks end with then is a dead letter each.
    """
    async with running(TaskPoolSpec(name="tasks"), Boss) as server:
        pool, boss = pool_and_boss(server)
        boss.cast({"type": "rest", "seconds": 1000})
        await trio.sleep(0.1)
        boss.cast({"type": "rest", "seconds": 0})
        for _ in range(20):
            pool.start(trio.sleep_forever, reply_to=boss)
        await trio.sleep(1)
        await server.root.supervisor("/residents").stop_child("tasks")
        await trio.sleep(1)
        assert len(happened(server, "message.dead_letter")) == 20
        assert [name for name in task_names() if "waits for room" in name] == []


@pytest.mark.parametrize("who", ["boss", "tasks"])
async def test_an_end_while_an_outcome_waits(clock: MockClock, who: str) -> None:
    """
    An outcome that waits for room is a dead letter when its receiver ends, or the pool.
    """
    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        boss.cast({"type": "rest", "seconds": 1000})
        await trio.sleep(0.1)
        boss.cast({"type": "rest", "seconds": 0})
        pool.start(double, 1, reply_to=boss)
        await trio.sleep(2)
        await server.root.supervisor("/residents").stop_child(who)
        await trio.sleep(0)
        letters = [letter.reason for letter in server.root.dead_letters.recent()]
        assert (
            letters[-1]
            == {
                "boss": "the actor has ended (stopped by hand)",
                "tasks": "the pool has stopped, and the mailbox is full",
            }[who]
        )
        assert len(letters) == (2 if who == "boss" else 1)


async def test_a_receiver_that_refuses_what_is_too_much(clock: MockClock) -> None:
    """
    With another overflow policy than `wait` an outcome for a full mailbox is a dead letter.
    """
    async with running(POOL, Strict) as server:
        pool, strict = pool_and_boss(server, "strict")
        strict.cast({"type": "rest", "seconds": 10})
        await trio.sleep(0.1)
        strict.cast({"type": "rest", "seconds": 0})
        pool.start(double, 1, reply_to=strict)
        await trio.sleep(2)
        (letter,) = happened(server, "message.dead_letter")
        assert letter.facts["reason"] == "a task's outcome for a full mailbox"
        assert server.root.supervisor(PATH).counts().specs == 0


async def test_a_receiver_without_a_handler(clock: MockClock) -> None:
    """
    Who is told must declare a handler for both ends; else nothing is begun.
    """

    class Careless(Actor):
        @handles(TaskDone)
        async def on_done(self, message):
            pass

    async with running(POOL, Careless) as server:
        pool, careless = pool_and_boss(server, "careless")
        with pytest.raises(UndeclaredMessage, match="TaskFailed"):
            pool.start(double, 1, reply_to=careless)
        task = pool.start(double, 1)
        with pytest.raises(UndeclaredMessage, match="TaskDone"):
            pool.start(double, 1, reply_to=task)
        with pytest.raises(TypeError, match="must be a reference, such as self.ref. Got: 'boss'"):
            pool.start(double, 1, reply_to="boss")  # type: ignore[arg-type]
        assert len(happened(server, "slot.started")) == 1


async def test_a_task_is_monitored_as_any_actor(clock: MockClock) -> None:
    """
    The reference of a task can be monitored, and waited for.
    """
    async with running(POOL, Boss) as server:
        pool, boss = pool_and_boss(server)
        ref = pool.start(double, 1)
        await boss.call({"type": "do", "what": lambda self: self.monitor(ref)})
        assert (await ref.wait_ended()).kind == "stopped"
        await trio.sleep(1)
        assert await heard(boss) == [Down(ref, ref.path, "done", "stopped")]


async def test_stopping_takes_as_long_as_the_slowest(clock: MockClock) -> None:
    """
    A pool asks all its tasks to stop at once; each has its seconds, and then is cancelled.
    """
    ends: list[tuple[str, float]] = []

    async def work(name: str, seconds: float) -> None:
        try:
            await trio.sleep(seconds)
        finally:
            ends.append((name, trio.current_time()))

    async with running(TaskPoolSpec(name="tasks", shutdown_seconds=2)) as server:
        pool = server.root.task_pool(PATH)
        for name, seconds in [("quick", 1.5), ("slow", 50), ("slower", 500)]:
            pool.start(work, name, seconds)
        await trio.sleep(1)
        began = trio.current_time()
        await server.root.supervisor("/residents").stop_child("tasks")
        assert sorted((name, at - began) for name, at in ends) == [
            ("quick", 0.5),
            ("slow", 2.0),
            ("slower", 2.0),
        ]
        assert trio.current_time() - began == 2
        assert happened(server, "slot.unkillable") == []


# -- from worker threads ------------------------------------------------------------------------


class Clerk(Actor):
    """Has its tasks run from a worker thread."""

    restart = "temporary"
    shutdown_seconds = 1

    def __init__(self) -> None:
        self.ended = "not yet"

    @handles("do")
    def on_do(self, message: dict[str, Any]) -> object:
        return message["what"](self, current_root().task_pool(PATH))

    @handles(TaskDone, TaskFailed)
    def on_end(self, message: TaskDone | TaskFailed) -> None:
        self.ended = type(message).__name__


async def ask(clerk: ActorRef, what: Any) -> Any:
    return await clerk.call({"type": "do", "what": what}, timeout=50)


async def test_run_from_a_thread() -> None:
    """
    A `def` handler waits for a task, also for one that needs the only thread there is.
    """

    def caught(self: Clerk, pool: TaskPool) -> str:
        try:
            return str(pool.run_blocking(fail))
        except ValueError as error:
            return f"caught {error}"

    async with running(POOL, Clerk, options=Options(consumer_threads=1)) as server:
        clerk = server.root.find("/residents/clerk")
        assert await ask(clerk, lambda _, pool: pool.run_blocking(double_in_thread, 4)) == 8
        assert await ask(clerk, lambda _, pool: pool.run_blocking(trio.sleep, 0)) is None
        assert await ask(clerk, caught) == "caught no room"
        assert server.root.supervisor(PATH).counts().specs == 0


async def test_a_thread_that_is_refused() -> None:
    """
    What the pool refuses is raised in the thread.
    """

    def refused(self: Clerk, pool: TaskPool) -> list[str]:
        told: list[str] = []
        for start in (pool.run_blocking, pool.start_blocking):
            try:
                start(double, 1)
            except TooManyChildren as error:
                told.append(error.option)
        return told

    async with running(
        TaskPoolSpec(name="tasks", max_tasks=1, shutdown_seconds=0), Clerk
    ) as server:
        clerk = server.root.find("/residents/clerk")
        task = server.root.task_pool(PATH).start(trio.sleep_forever)
        assert await ask(clerk, refused) == ["max_tasks", "max_tasks"]
        task.stop()


async def test_a_thread_that_waits_no_longer() -> None:
    """
    A task is cut off when the thread's timeout is over, and when its actor is told to stop.
    """
    cancelled: list[str] = []

    async def work(name: str) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(name)
            raise

    def late(self: Clerk, pool: TaskPool) -> str:
        try:
            pool.run_blocking(work, "timeout", timeout=0.001)
        except TimeoutError as error:
            return str(error)
        return "no timeout"

    async with running(POOL, Clerk) as server:
        clerk = server.root.find("/residents/clerk")
        assert "was not done within 0.001 s, and is stopped" in await ask(clerk, late)
        with trio.fail_after(60):
            while server.root.supervisor(PATH).counts().specs:  # that of the first one
                await trio.lowlevel.checkpoint()
            clerk.cast({"type": "do", "what": lambda _, pool: pool.run_blocking(work, "told")})
            while not server.root.supervisor(PATH).counts().active:
                await trio.lowlevel.checkpoint()
            clerk.stop()
            await clerk.wait_ended()
            while server.root.supervisor(PATH).counts().specs:
                await trio.lowlevel.checkpoint()

    assert cancelled[-1] == "told"


async def test_a_thread_that_gave_up_before_the_loop_knew() -> None:
    """
    Nothing is begun for a thread whose time was over before the loop had a turn.
    """
    raised: list[BaseException] = []
    async with running(POOL) as server:
        pool = server.root.task_pool(PATH)

        def give_up() -> None:
            try:
                pool.run_blocking(double_in_thread, 1, timeout=0)
            except TimeoutError as error:
                raised.append(error)

        thread = threading.Thread(target=give_up)
        thread.start()
        thread.join(30)  # the loop stands still
        await trio.testing.wait_all_tasks_blocked()
        assert len(raised) == 1
        assert happened(server, "slot.started") == happened(server, "slot.ended") == []


async def test_start_from_a_thread() -> None:
    """
    A `def` handler starts a task and goes on; the end comes as a message.
    """
    async with running(POOL, Clerk) as server:
        clerk = server.root.find("/residents/clerk")

        def start(self: Clerk, pool: TaskPool) -> ActorRef:
            return pool.start_blocking(double_in_thread, 1, reply_to=self.ref)

        ref = await ask(clerk, start)
        assert ref.path == f"{PATH}/double_in_thread-1"
        with trio.fail_after(60):
            while await ask(clerk, lambda self, _: self.ended) != "TaskDone":
                await trio.lowlevel.checkpoint()
