# How a slot stands now: what it does, since when, and how long its next message has waited.

import threading

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, handles
from greenroom.actors import _beside as beside
from greenroom.actors import _counts as counts
from greenroom.actors import _life as life
from greenroom.actors import _loop as loop
from greenroom.actors import _mailbox as mailbox
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import ChildSpec
from greenroom.supervisor import _witness as witness
from greenroom.supervisor._slot import Slot

PATH = "/residents/worker"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """
    Virtual time, which the clock of what lasts how long shows, too.
    """
    clock = virtual_clock()
    for module in (beside, counts, life, loop, mailbox, witness):
        monkeypatch.setattr(module, "perf_counter", clock.current_time)
    return clock


class Worker(Actor):
    """Takes its time, in several ways."""

    @handles("work")
    async def work(self, message: dict[str, float]) -> None:
        await trio.sleep(message["seconds"])

    @handles("beside", concurrent=2)
    async def beside(self, message: dict[str, float]) -> None:
        await trio.sleep(message["seconds"])

    @handles("crash")
    async def crash(self) -> None:
        raise ValueError("boom")


class Opener(Actor):
    """Takes its time before it serves."""

    async def started(self) -> None:
        await trio.sleep(5)

    async def after_start(self) -> None:
        await trio.sleep(5)


def slot_of(server: ServerDriver, path: str = PATH) -> Slot:
    slot = server.root.find(path)._target
    assert isinstance(slot, Slot)
    return slot


def work(seconds: float, kind: str = "work") -> dict[str, object]:
    return {"type": kind, "seconds": seconds}


async def test_what_it_does(clock: MockClock) -> None:
    """
    It is busy since its handler began, also the second of two that came together; idle since the
    last one ended.
    """
    async with running(Worker) as server:
        slot = slot_of(server)
        await trio.sleep(3)
        assert (slot.standing().busy, slot.standing().idle) == (None, 3)
        slot.ref.cast(work(10))
        slot.ref.cast(work(10))
        await trio.sleep(12)
        assert (slot.standing().busy, slot.standing().idle) == (2, None)
        await trio.sleep(10)
        assert (slot.standing().busy, slot.standing().idle) == (None, 2)


async def test_what_it_does_beside(clock: MockClock) -> None:
    """
    What runs beside its loop keeps it busy, since the first of it began.
    """
    async with running(Worker) as server:
        slot = slot_of(server)
        slot.ref.cast(work(10, "beside"))
        await trio.sleep(4)
        slot.ref.cast(work(10, "beside"))
        await trio.sleep(1)
        assert slot.standing().busy == 5
        await trio.sleep(6)
        assert slot.standing().busy == 7
        await trio.sleep(5)
        assert slot.standing().busy is None


async def test_before_it_serves(clock: MockClock) -> None:
    """
    A hook is something that it does, each since its own beginning.
    """
    async with running(ChildSpec(actor=Opener, name="worker")) as server:
        slot = slot_of(server)
        await trio.sleep(2)
        assert slot.standing().busy == 2
        await trio.sleep(4)
        assert slot.standing().busy is None


async def test_how_long_the_next_has_waited(clock: MockClock) -> None:
    """
    What came while it worked has waited since then; what came behind that, since the handler
    before it began, at least.
    """
    async with running(Worker) as server:
        slot = slot_of(server)
        assert slot.standing().age is None
        slot.ref.cast(work(10))
        await trio.sleep(4)
        assert slot.standing().age is None
        slot.ref.cast(work(10))
        await trio.sleep(1)
        slot.ref.cast(work(10))
        await trio.sleep(2)
        assert slot.standing().age == 3
        await trio.sleep(5)  # the second is 2 s under way, the third came 7 s ago
        assert slot.standing().age == 2
        await trio.sleep(9)
        assert slot.standing().age is None


async def test_of_many_at_once(clock: MockClock) -> None:
    """
    What came together with what it does has waited as long as that.
    """
    async with running(Worker) as server:
        slot = slot_of(server)
        for _ in range(5):
            slot.ref.cast(work(10))
        await trio.sleep(9)
        assert slot.standing().age == 9


async def test_while_it_rests(clock: MockClock) -> None:
    """
    A message for an actor that is suspended, backs off or is parked waits since it came.
    """
    async with running(Worker) as server:
        slot = slot_of(server)
        server.root.suspensions.begin(PATH, 100)
        await wait_all_tasks_blocked()
        slot.ref.cast(work(0))
        await trio.sleep(7)
        assert slot.standing().age == 7
        server.root.suspensions.end(PATH)
        await trio.sleep(1)
        assert slot.standing().age is None
        for _ in range(4):
            slot.ref.cast({"type": "crash"})
            await trio.sleep(0.5)
        assert happened(server, "slot.parked", PATH)
        slot.ref.cast(work(0))
        await trio.sleep(6)
        assert slot.standing().age == 6
        assert slot.standing().idle is None


async def test_in_a_thread() -> None:
    """
    What a thread does is told as such; while it waits for one, that.
    """
    begun, go_on = threading.Event(), threading.Event()

    class Blocking(Actor):
        @handles("block")
        def block(self) -> None:
            begun.set()
            go_on.wait(60)

    async with running(ChildSpec(actor=Blocking, name="worker")) as server:
        slot = slot_of(server)
        slot.ref.cast({"type": "block"})
        try:
            await settle(begun.is_set)
            assert slot.standing().where.startswith("in consumers")
            assert slot.thread
        finally:
            go_on.set()
        await settle(lambda: slot.thread is None)
        assert slot.standing().where == ""


async def test_in_threads_of_two_trees() -> None:
    """
    The stack of a handler is that of its own thread, though another tree has one of that name.
    """
    begun, go_on = threading.Semaphore(0), threading.Event()

    class One(Actor):
        @handles("block")
        def block_in_one(self) -> None:
            begun.release()
            go_on.wait(60)

    class Two(Actor):
        @handles("block")
        def block_in_two(self) -> None:
            begun.release()
            go_on.wait(60)

    async with (
        running(ChildSpec(actor=One, name="worker")) as first,
        running(ChildSpec(actor=Two, name="worker")) as second,
    ):
        slots = [slot_of(first), slot_of(second)]
        try:
            for slot in slots:
                slot.ref.cast({"type": "block"})
                await settle(lambda: begun.acquire(blocking=False))
            assert slots[0].thread == slots[1].thread
            for slot, name in zip(slots, ("block_in_one", "block_in_two"), strict=True):
                assert name in [line.function for line in slot.lines()]
        finally:
            go_on.set()


async def test_behind_what_a_thread_does() -> None:
    """
    What goes to a thread together with a message that does not end waits, and is counted.
    """
    begun, go_on = threading.Event(), threading.Event()

    class Blocking(Actor):
        @handles("quick")
        def quick(self) -> None:
            pass

        @handles("block")
        def block(self) -> None:
            begun.set()
            go_on.wait(60)

    async with running(ChildSpec(actor=Blocking, name="worker")) as server:
        slot = slot_of(server)
        for kind in ("quick", "block", "quick", "quick", "quick"):
            slot.ref.cast({"type": kind})
        try:
            await settle(begun.is_set)
            slot.ref.cast({"type": "quick"})
            assert slot.snapshot().mailbox == (4, slot.mailbox.capacity)
            assert slot.snapshot().facts["handling"] == "'block'"
            standing = slot.standing()
            assert standing.age == standing.busy is not None  # of one look
        finally:
            go_on.set()
        await settle(lambda: slot.queued == 0)
        assert slot.standing().age is None


class Failing(Actor):
    """Has a task that fails while it has nothing to do."""

    async def started(self) -> None:
        self.start_soon(self.fail)

    async def fail(self) -> None:
        await trio.sleep(1)
        raise ValueError("boom")

    @handles("work")
    async def work(self) -> None:
        pass


async def test_what_crashed_in_its_sleep(clock: MockClock) -> None:
    """
    What comes for an actor that has crashed while it had nothing to do waits since it came.
    """
    async with running(ChildSpec(actor=Failing, name="worker", max_restarts=0)) as server:
        slot = slot_of(server)
        await trio.sleep(5)
        assert slot.state == "parked"
        slot.ref.cast({"type": "work"})
        await trio.sleep(3)
        assert slot.standing().age == 3


class Bored(Actor):
    """Does something when nothing comes."""

    idle_seconds = 1

    async def idle(self) -> None:
        await trio.sleep(0.5)

    @handles("work")
    async def work(self) -> None:
        pass


async def test_what_comes_between_moments(clock: MockClock) -> None:
    """
    What comes while an `idle` handler runs waits for it; what comes behind it does not wait.
    """
    async with running(ChildSpec(actor=Bored, name="worker")) as server:
        slot = slot_of(server)
        await trio.sleep(1.75)
        slot.ref.cast({"type": "work"})
        assert slot.mailbox._waits is None
        await trio.sleep(1.25)
        assert slot.standing().busy == 0.25
        slot.ref.cast({"type": "work"})
        await trio.sleep(0.125)
        assert slot.standing().age == 0.125
