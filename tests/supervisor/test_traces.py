# An operator looks at what is handled, for a while.

import pytest
import trio
from helpers import happened, running, settle, task_names
from trio.testing import MockClock

from greenroom.actors import Actor, ActorNotFound, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import _traces
from greenroom.supervisor._slot import Slot
from greenroom.supervisor._traces import RateCap, above

PATH = "/residents/worker"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Worker(Actor):
    """Handles well, badly, and in a thread."""

    @handles("good")
    async def on_good(self, message):
        pass

    @handles("bad")
    async def on_bad(self, message):
        raise ValueError("boom")

    @handles("in a thread")
    def on_thread(self, message):
        if message.get("bad"):
            raise KeyError("boom")


class Chat(WebsocketConsumer):
    """Answers."""

    async def receive(self, text):
        await self.send(text=text)


def told(server, path: str = "") -> list[tuple[object, object]]:
    """Return message and outcome of what was told of."""
    events = happened(server, "actor.handled", path)
    return [(event.facts["message"], event.facts["outcome"]) for event in events]


async def test_nobody_looks(clock: MockClock) -> None:
    """
    Without a trace nothing of it is told.
    """
    async with running(Worker) as server:
        await server.root.find(PATH).call({"type": "good"})

    assert told(server) == []


async def test_what_is_told(clock: MockClock) -> None:
    """
    Each message is one event with its type, its time and how it ended, through restarts.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH, 60)
        ref = server.root.find(PATH)
        await ref.call({"type": "good", "secret": "no body"})
        with pytest.raises(CallFailed):
            await ref.call({"type": "bad"})
        ref.cast({"type": "good"})
        await ref.call({"type": "in a thread"})
        with pytest.raises(CallFailed):
            await ref.call({"type": "in a thread", "bad": True})
        await ref.call({"type": "good"})
        events = happened(server, "actor.handled", PATH)

    assert told(server) == [
        ("call 'good'", "ok"), ("call 'bad'", "ValueError"), ("'good'", "ok"),
        ("call 'in a thread'", "ok"), ("call 'in a thread'", "KeyError"), ("call 'good'", "ok"),
    ]  # fmt: skip
    assert [event.epoch for event in events] == [1, 1, 2, 2, 2, 3]
    assert all(event.facts.keys() == {"message", "seconds", "outcome"} for event in events)


async def test_a_run_of_messages_in_a_thread(clock: MockClock) -> None:
    """
    Of messages that go to a thread together each is told by itself.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH)
        ref = server.root.find(PATH)
        for _ in range(5):
            ref.cast({"type": "in a thread"})
        await ref.call({"type": "good"})

    assert told(server) == [("'in a thread'", "ok")] * 5 + [("call 'good'", "ok")]


async def test_what_is_cancelled() -> None:
    """
    A handler that is cancelled with its peer is told of as that.
    """
    began = trio.Event()

    class Waiting(WebsocketConsumer):
        cancel_on_disconnect = True

        async def receive(self, text):
            began.set()
            await trio.sleep_forever()

    async with running(chat=Waiting) as server:
        server.root.traces.begin("/connections")
        async with server.websocket("/chat") as ws:
            ws.send_text("hello")
            await began.wait()
        await settle(lambda: told(server))

    assert told(server) == [("text frame of 5", "Cancelled")]


async def test_a_branch(clock: MockClock) -> None:
    """
    A trace of a branch is of all that is below it, also of what comes later; and of no other.
    """
    async with running(Worker, chat=Chat) as server, server.websocket("/chat") as early:
        server.root.traces.begin("/connections/chat", 60)
        async with server.websocket("/chat") as late:
            for ws in (early, late):
                ws.send_text("hello")
                assert await ws.receive() == "hello"
        await server.root.find(PATH).call({"type": "good"})
        paths = [event.path for event in happened(server, "actor.handled")]

    assert paths == ["/connections/chat/1", "/connections/chat/2"]


async def test_a_large_branch(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of a branch so many are told of a trace in each turn, until all are; and none once it has ended.
    """
    monkeypatch.setattr(_traces, "SLICE", 2)
    flagged: list[str] = []
    flag = Slot.flag

    def flagging(slot: Slot) -> None:
        flagged.append(slot.path)
        flag(slot)

    monkeypatch.setattr(Slot, "flag", flagging)
    async with running(Worker, chat=Chat) as server:
        dialled = [server.dial("/chat") for _ in range(7)]
        await settle(lambda: server.root.connections.open == 7)
        paths = [f"/connections/chat/{number}" for number in range(1, 8)]
        server.root.traces.begin("/connections/chat", 60)
        assert flagged == paths[:2]
        await settle(lambda: len(flagged) == 7)
        assert flagged == paths
        for each in dialled:
            each.send_text("hello")
        await settle(lambda: len(told(server)) == 7)

        flagged.clear()
        server.root.traces.begin("/", 60)
        server.root.traces.end("/")
        await trio.sleep(1)
        assert len(flagged) <= 2
        for each in dialled:
            each.disconnect()


async def test_the_nearest_of_several(clock: MockClock) -> None:
    """
    Of traces within each other the nearest tells, once.
    """
    async with running(Worker) as server:
        for path in ("/", "/residents", PATH):
            server.root.traces.begin(path, 60)
        ref = server.root.find(PATH)
        await ref.call({"type": "good"})
        assert server.root.traces.end(PATH)
        await ref.call({"type": "good"})
        ended = {event.path: event.facts for event in happened(server, "trace.ended")}
        assert ended == {PATH: {"handled": 1, "left_out": 0}}
        assert server.root.traces.end("/residents")
        assert not server.root.traces.end("/residents")

    ended = {event.path: event.facts["handled"] for event in happened(server, "trace.ended")}
    assert ended == {PATH: 1, "/residents": 1, "/": 0}


async def test_it_ends_by_itself(clock: MockClock) -> None:
    """
    After its time it is over, though nothing is handled; then the actor is as fast as before.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH, 60)
        assert f"{PATH} trace" in task_names()
        await trio.sleep(61)
        assert len(happened(server, "trace.ended", PATH)) == 1
        assert f"{PATH} trace" not in task_names()
        ref = server.root.find(PATH)
        await ref.call({"type": "good"})
        await ref.call({"type": "good"})

    assert told(server) == []
    assert len(happened(server, "trace.ended")) == 1


async def test_it_ends_with_the_actor(clock: MockClock) -> None:
    """
    The trace of a connection is over with it, and is told of as over.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat"):
            server.root.traces.begin("/connections/chat/1", 60)
        await settle(lambda: happened(server, "trace.ended", "/connections/chat/1"))
        with pytest.raises(ActorNotFound):
            server.root.traces.begin("/connections/chat/1")


async def test_so_many_in_a_second(clock: MockClock) -> None:
    """
    What is too much for a second is counted, and told of at the end.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH, 60, per_second=3)
        ref = server.root.find(PATH)
        for _ in range(200):
            await ref.call({"type": "good"})
        shown = len(told(server))
        server.root.traces.end(PATH)
        [end] = happened(server, "trace.ended")

    assert end.facts["handled"] == shown >= 3
    assert end.facts["left_out"] == 200 - shown


def test_the_cap() -> None:
    """
    In each second so many pass, from its first on.
    """
    cap = RateCap(2)

    passed = [cap.admit(now) for now in (5.0, 5.1, 5.2, 5.99, 6.0, 6.5, 6.6, 9.0)]

    assert passed == [True, True, False, False, True, True, False, True]


async def test_it_pushes_nothing_out(clock: MockClock) -> None:
    """
    What happened is remembered, however much a trace tells: that is kept apart, by its kind.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH, 60, per_second=100_000)
        ref = server.root.find(PATH)
        for _ in range(1500):
            await ref.call({"type": "good"})
        kinds = {event.kind for event in server.root.events.recent(5000)}
        assert {"root.started", "slot.started", "trace.began"} <= kinds
        assert "actor.handled" not in kinds
        assert len(server.root.events.recent(5000, "actor.handled")) == 1000


async def test_what_is_refused(clock: MockClock) -> None:
    """
    A path where nothing is, and a time that is none or too long, are refused.
    """
    async with running(Worker) as server:
        traces = server.root.traces
        for path in ("/residents/nobody", "/connections/chat", "", "residents"):
            with pytest.raises(ActorNotFound):
                traces.begin(path)
        for seconds in (0, -1, 601, float("inf")):
            with pytest.raises(ValueError, match="Got"):
                traces.begin(PATH, seconds)
        with pytest.raises(TypeError):
            traces.begin(PATH, "long")
        with pytest.raises(ValueError, match="per_second"):
            traces.begin(PATH, per_second=0)
        traces.begin("/connections")
        traces.begin("/")

    with pytest.raises(ActorNotFound):
        server.root.traces.begin("/")


async def test_again_is_to_begin_anew(clock: MockClock) -> None:
    """
    Whoever begins a trace that is there ends it, and has the whole time again.
    """
    async with running(Worker) as server:
        server.root.traces.begin(PATH, 60)
        await trio.sleep(50)
        server.root.traces.begin(PATH, 60)
        await trio.sleep(50)
        await server.root.find(PATH).call({"type": "good"})
        assert told(server) == [("call 'good'", "ok")]
        assert len(happened(server, "trace.ended")) == 1


async def test_resting_goes_on(clock: MockClock) -> None:
    """
    A class with `idle` has its silence though it is traced, and the loop does not spin.
    """
    rested: list[float] = []

    class Resting(Worker):
        idle_seconds = 5.0

        async def idle(self):
            rested.append(trio.current_time())

    path = "/residents/resting"
    async with running(Resting) as server:
        server.root.traces.begin(path, 60)
        await server.root.find(path).call({"type": "good"})
        began = trio.current_time()
        await trio.sleep(12)

    assert [round(at - began) for at in rested] == [5, 10]


def test_above() -> None:
    """
    A path is part of itself and of each branch above it.
    """
    assert list(above("/a/b/c")) == ["/a/b/c", "/a/b", "/a", "/"]
    assert list(above("/")) == ["/"]
