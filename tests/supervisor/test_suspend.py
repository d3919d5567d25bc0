# An operator's suspension.

import pytest
import trio
from helpers import happened, running, watch
from trio.testing import MockClock

from greenroom.actors import Actor, ActorNotFound, CallTimeout, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options, current_root

PATH = "/residents/worker"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Worker(Actor):
    """Notes what it handles."""

    def __init__(self):
        self.done = []

    @handles("work")
    async def on_work(self, message):
        self.done.append(message["n"])
        return list(self.done)

    @handles("slow")
    async def on_slow(self, message):
        await trio.sleep(3)
        self.done.append("slow")

    @handles("fail")
    async def on_fail(self, message):
        self.start_soon(self.fail_later)

    async def fail_later(self):
        await trio.sleep(1)
        raise ValueError("boom")


def work(n):
    return {"type": "work", "n": n}


async def test_nothing_is_handled_and_nothing_lost(clock: MockClock) -> None:
    """
    While it is suspended messages wait; then they are handled, in order.
    """
    async with running(Worker) as server:
        ref = server.root.find(PATH)
        server.root.suspensions.begin(PATH, 60)
        for n in range(3):
            ref.cast(work(n))
        with pytest.raises(CallTimeout):
            await ref.call(work("given up"), timeout=10)
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert (node.state, node.mailbox) == ("suspended", (4, 256))
        assert server.root.suspensions.end(PATH)
        assert await ref.call(work(3)) == [0, 1, 2, 3]
        assert not server.root.suspensions.end(PATH)
        assert server.root.snapshot().find(PATH).state == "running"


async def test_it_goes_on_by_itself(clock: MockClock) -> None:
    """
    A forgotten suspension ends after its time, and is one event at each end.
    """
    async with running(Worker) as server:
        began = trio.current_time()
        server.root.suspensions.begin(PATH, 60)
        assert await server.root.find(PATH).call(work(1), timeout=100) == [1]
        assert trio.current_time() - began == pytest.approx(60)
        assert len(happened(server, "slot.suspended")) == 1
        assert len(happened(server, "slot.unsuspended")) == 1


async def test_another_end(clock: MockClock) -> None:
    """
    Suspended again it goes on at the new end, be that sooner or later.
    """
    async with running(Worker) as server:
        for first, second in ((60, 10), (10, 60)):
            began = trio.current_time()
            server.root.suspensions.begin(PATH, first)
            await trio.sleep(1)
            server.root.suspensions.begin(PATH, second)
            await server.root.find(PATH).call(work(1), timeout=100)
            assert trio.current_time() - began == pytest.approx(1 + second)


async def test_the_running_handler_finishes(clock: MockClock) -> None:
    """
    Who is in the middle of a message ends it, and takes no other.
    """
    async with running(Worker) as server:
        ref = server.root.find(PATH)
        ref.cast({"type": "slow"})
        await trio.sleep(1)
        server.root.suspensions.begin(PATH, 30)
        began = trio.current_time()
        assert await ref.call(work(1), timeout=100) == ["slow", 1]
        assert trio.current_time() - began == pytest.approx(30)


async def test_it_stands_through_a_restart(clock: MockClock) -> None:
    """
    A task that crashes meanwhile restarts it; the next incarnation is suspended, too.
    """
    async with running(Worker, options=Options(backoff_jitter=0)) as server:
        ref = server.root.find(PATH)
        restarted = watch(server, "slot.restarted")
        ref.cast({"type": "fail"})
        await trio.sleep(0.5)
        server.root.suspensions.begin(PATH, 60)
        began = trio.current_time()
        await restarted.until()
        assert await ref.call(work(1), timeout=100) == [1]
        assert trio.current_time() - began == pytest.approx(60)


async def test_a_stop_is_obeyed(clock: MockClock) -> None:
    """
    A suspended actor stops at once when it is asked to, and leaves nothing behind.
    """
    async with running(Worker) as server:
        server.root.suspensions.begin(PATH, 3600)
        await trio.sleep(1)
        began = trio.current_time()
        await server.root.residents.stop_child("worker")
        assert trio.current_time() - began < 1
        await server.root.residents.start_child("worker")
        assert await server.root.find(PATH).call(work(1)) == [1]


async def test_silence_does_not_count(clock: MockClock) -> None:
    """
    A suspended actor is not told of silence; the time for that begins when it goes on.
    """
    told: list[float] = []

    class Idler(Worker):
        idle_seconds = 10

        async def idle(self):
            told.append(trio.current_time())

    path = "/residents/idler"
    async with running(Idler) as server:
        began = trio.current_time()
        await trio.sleep(5)
        server.root.suspensions.begin(path, 100)
        await trio.sleep(125)
        assert [at - began for at in told] == pytest.approx([115, 125], abs=1)


async def test_refused(clock: MockClock) -> None:
    """
    Who is not there can't be suspended, nor for no time or for ever.
    """
    async with running(Worker) as server:
        with pytest.raises(ActorNotFound):
            server.root.suspensions.begin("/residents/nobody")
        with pytest.raises(ValueError, match="seconds must be finite and more than 0"):
            server.root.suspensions.begin(PATH, 0)
        with pytest.raises(ValueError, match="seconds must be finite"):
            server.root.suspensions.begin(PATH, float("inf"))


async def test_one_that_begins_before_the_actor_has_started_holds(clock: MockClock) -> None:
    """
    An actor that is put to rest while it is in `started` handles nothing when it has started.
    """

    class Slow(Worker):
        async def started(self):
            self.start_soon(self.put_to_rest)
            await trio.sleep(1)

        async def put_to_rest(self):
            current_root().suspensions.begin("/residents/slow", 60)

    async with running(Slow) as server:
        with pytest.raises(CallTimeout):
            await server.root.find("/residents/slow").call(work(1), timeout=10)
        node = server.root.snapshot().find("/residents/slow")
        assert node is not None
        assert node.state == "suspended"
