# The conformance suite itself: a right engine passes it, and each broken promise is caught.
#
# The engines here stand for processes joined by a bus that is a list. The right one
# is about as short as an engine can be; the wrong ones each break one promise.

import copy

import pytest
import trio

from greenroom.actors._lowlevel import LoopThread
from greenroom.actors.consumers._frames import Frame
from greenroom.bridges.testing.engine_suite import DistributedEngineSuite
from greenroom.supervisor import EventStream, Groups
from greenroom.supervisor._engine import Engine, EngineSink, EngineStatistics


class BusEngine(Engine):
    """
    Joined with the other engines on *bus* by plain calls on the event loop.
    """

    def __init__(self, bus: "list[BusEngine]") -> None:
        self.bus = bus
        self.topics: set[str] = set()
        self.sink: EngineSink | None = None
        self.loop: LoopThread | None = None
        self.published = self.received = self.gaps = self.dropped = 0
        self.broken = trio.Event()

    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        if self.loop is not None:
            raise RuntimeError("run twice")
        self.sink, self.loop = sink, LoopThread.current()
        self.bus.append(self)
        task_status.started()
        try:
            while True:
                await self.broken.wait()
                self.broken = trio.Event()
                self.repaired()
        finally:
            self.bus.remove(self)

    def repaired(self) -> None:
        assert self.sink is not None
        self.gaps += 1
        self.sink.gap("connection lost")

    def publish(self, topic: str, payload: object) -> None:
        if not isinstance(payload, str | bytes | dict):
            raise TypeError(f"cannot carry {payload!r}")
        self.published += 1
        if self.loop is None:
            self.dropped += 1
            return
        try:
            self.loop.call_soon(self.pass_on, topic, copy.deepcopy(payload))
        except trio.RunFinishedError:
            self.dropped += 1

    def pass_on(self, topic: str, payload: object) -> None:
        for other in self.bus:
            if other is not self:
                other.take(topic, payload)

    def take(self, topic: str, payload: object) -> None:
        assert self.sink is not None
        if topic in self.topics and not self.broken.is_set():
            self.received += 1
            self.sink.deliver(topic, payload)

    def subscribe(self, topic: str) -> None:
        self.topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        self.topics.discard(topic)

    def peers(self) -> frozenset[str]:
        return frozenset(str(id(other)) for other in self.bus if other is not self)

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(
            connected=not self.broken.is_set(),
            subscriptions=len(self.topics),
            published=self.published,
            received=self.received,
            dropped=self.dropped,
            gaps=self.gaps,
        )


class BusSuite(DistributedEngineSuite):
    engine: type[BusEngine] = BusEngine

    def __init__(self) -> None:
        self.bus: list[BusEngine] = []

    def make_engine(self) -> BusEngine:
        return self.engine(self.bus)

    async def lose_connection(self, engine: Engine) -> None:
        assert isinstance(engine, BusEngine)
        engine.broken.set()


SUITE_TESTS = [name for name in dir(BusSuite) if name.startswith("test_")]


@pytest.mark.parametrize("name", SUITE_TESTS)
def test_a_right_engine_passes(name: str) -> None:
    """
    An engine that keeps every promise passes every test of the suite.
    """
    getattr(BusSuite(), name)()


class Echoes(BusEngine):
    def pass_on(self, topic: str, payload: object) -> None:
        for engine in self.bus:
            engine.take(topic, payload)


class Repeats(BusEngine):
    def pass_on(self, topic: str, payload: object) -> None:
        super().pass_on(topic, payload)
        super().pass_on(topic, payload)


class Reorders(BusEngine):
    held: "tuple[str, object] | None" = None

    def pass_on(self, topic: str, payload: object) -> None:
        if payload == "3":
            self.held = topic, payload
            return
        super().pass_on(topic, payload)
        if self.held is not None:
            held, self.held = self.held, None
            super().pass_on(*held)


class Loses(BusEngine):
    def pass_on(self, topic: str, payload: object) -> None:
        if payload != "7":
            super().pass_on(topic, payload)


class Garbles(BusEngine):
    def take(self, topic: str, payload: object) -> None:
        super().take(topic, payload.decode("latin-1") if isinstance(payload, bytes) else payload)


class Overhears(BusEngine):
    def take(self, topic: str, payload: object) -> None:
        assert self.sink is not None
        self.sink.deliver(topic, payload)


class Remembers(BusEngine):
    def __init__(self, bus: list[BusEngine]) -> None:
        super().__init__(bus)
        self.missed: list[tuple[str, object]] = []

    def subscribe(self, topic: str) -> None:
        new = topic not in self.topics
        super().subscribe(topic)
        for name, payload in self.missed if new else ():
            if name == topic and self.loop is not None:
                self.loop.call_soon(self.take, name, payload)

    def take(self, topic: str, payload: object) -> None:
        if topic not in self.topics:
            self.missed.append((topic, payload))
        super().take(topic, payload)


class Silent(BusEngine):
    def repaired(self) -> None:
        pass


class GivesUp(BusEngine):
    def repaired(self) -> None:
        super().repaired()
        self.topics.clear()
        self.subscribe = lambda topic: None


class NeverForgets(BusEngine):
    def unsubscribe(self, topic: str) -> None:
        pass


class Counts(BusEngine):
    def subscribe(self, topic: str) -> None:
        super().subscribe(topic if topic not in self.topics else f"{topic} again")


class TakesAnything(BusEngine):
    def publish(self, topic: str, payload: object) -> None:
        super().publish(topic, payload if isinstance(payload, str | bytes | dict) else "")


class Alone(BusEngine):
    def peers(self) -> frozenset[str]:
        return frozenset()


class RunsTwice(BusEngine):
    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        if self.loop is None:
            await super().run(sink, task_status=task_status)


class Returns(BusEngine):
    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        task_status.started()


class MiscountsLag(BusEngine):
    def statistics(self) -> EngineStatistics:
        return EngineStatistics(connected=True, published=3, lag_messages=-1)


@pytest.mark.parametrize(
    ("engine", "caught_by"),
    [
        (Echoes, "test_scope"),
        (Repeats, "test_order_and_at_most_once"),
        (Reorders, "test_order_and_at_most_once"),
        (Loses, "test_order_and_at_most_once"),
        (Garbles, "test_fidelity"),
        (Overhears, "test_only_what_was_asked_for"),
        (Remembers, "test_no_history"),
        (Silent, "test_gap"),
        (GivesUp, "test_gap"),
        (NeverForgets, "test_unsubscribed_hears_no_more"),
        (NeverForgets, "test_no_waiting_in_threads"),
        (Counts, "test_subscribing_twice_is_once"),
        (TakesAnything, "test_what_cannot_be_carried_is_refused"),
        (Alone, "test_peers"),
        (RunsTwice, "test_runs_once"),
        (Returns, "test_ends_when_cancelled"),
        (MiscountsLag, "test_statistics_count"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_broken_promise_is_caught(engine: type[BusEngine], caught_by: str) -> None:
    """
    An engine that breaks one promise fails the test of that promise.
    """

    class BrokenSuite(BusSuite):
        deadline_seconds = 0.3

    suite = BrokenSuite()
    suite.engine = engine

    with pytest.raises((AssertionError, trio.TooSlowError)):
        getattr(suite, caught_by)()


class Listener:
    """A member that remembers what it was sent."""

    path = "/connections/chat/1"

    def __init__(self) -> None:
        self.got: list[object] = []

    def deliver_frame(self, frame: Frame) -> None:
        self.got.append(frame.text if frame.text is not None else frame.data)

    def deliver_message(self, message: object) -> None:
        self.got.append(message)


async def test_groups_over_an_engine() -> None:
    """
    Members of one group in two processes hear each other once, and are told of a gap.
    """
    bus: list[BusEngine] = []
    engines = [BusEngine(bus), BusEngine(bus)]
    streams = [EventStream(), EventStream()]
    here, there = (Groups(engine, stream) for engine, stream in zip(engines, streams, strict=True))
    ann, bob, eve = Listener(), Listener(), Listener()
    async with trio.open_nursery() as nursery:
        for engine, groups in zip(engines, (here, there), strict=True):
            await nursery.start(engine.run, groups)
        here.join("chat.lobby", ann)
        here.join("chat.lobby", bob)
        there.join("chat.lobby", eve)
        sent = [
            here.send("chat.lobby", text="hi", exclude=ann),
            here.send("chat.lobby", bytes=b"hi"),
            there.send("chat.lobby", {"type": "chat.message"}),
        ]
        await trio.testing.wait_all_tasks_blocked()
        engines[1].broken.set()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert sent == [1, 2, 1]
    assert ann.got == [b"hi", {"type": "chat.message"}]
    assert bob.got == ["hi", b"hi", {"type": "chat.message"}]
    assert sorted(map(str, eve.got)) == sorted(map(str, ["hi", b"hi", {"type": "chat.message"}]))
    assert [stream.counts()["group.gap"] for stream in streams] == [0, 1]


async def test_hooks_must_be_defined() -> None:
    """
    A suite without a hook that it needs says which one is missing.
    """

    class TestMine(DistributedEngineSuite):
        pass

    with pytest.raises(NotImplementedError, match=r"TestMine must define make_engine\(\)"):
        TestMine().make_engine()
    with pytest.raises(NotImplementedError, match=r"TestMine must define lose_connection\(\)"):
        await TestMine().lose_connection(BusEngine([]))
