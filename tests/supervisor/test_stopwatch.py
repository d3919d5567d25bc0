# An operator has the handlers of one actor timed, for a while.

import pytest
import trio
from helpers import happened, running, settle, task_names
from trio.testing import MockClock

from greenroom.actors import Actor, ActorNotFound, CallFailed, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import InvalidState
from greenroom.supervisor import _traces as traces
from greenroom.supervisor._stopwatch import MOST_KINDS, OTHERS, Stopwatch, kind_of

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
        pass


class Chat(WebsocketConsumer):
    """Answers."""

    async def receive(self, text):
        await self.send(text=text)


def counts(watch: Stopwatch) -> dict[str, int]:
    """Return how many messages of each kind were timed."""
    return {timing.message: timing.count for timing in watch.timings()}


async def test_each_message(clock: MockClock) -> None:
    """
    Each message is counted by its kind, through a restart, and no event tells of it.
    """
    async with running(Worker) as server:
        watch = server.root.traces.time(PATH, 60)
        ref = server.root.find(PATH)
        await ref.call({"type": "good"})
        with pytest.raises(CallFailed):
            await ref.call({"type": "bad"})
        for _ in range(2):
            await ref.call({"type": "in a thread"})
        await ref.call({"type": "good"})
        assert counts(watch) == {"call 'good'": 2, "call 'bad'": 1, "call 'in a thread'": 2}
        for timing in watch.timings():
            assert 0 < timing.p50 <= timing.p95 <= timing.longest
        assert happened(server, "actor.handled") == []


async def test_it_ends_by_itself(clock: MockClock) -> None:
    """
    It ends with its time, which asking again puts off; what is handled later is not counted.
    """
    async with running(Worker) as server:
        root, ref = server.root, server.root.find(PATH)
        watch = root.traces.time(PATH, 10)
        await trio.sleep(9)
        assert root.traces.time(PATH, 10) is watch
        await trio.sleep(9)
        assert watch.left == pytest.approx(1)
        assert watch.seconds == pytest.approx(18)
        await ref.call({"type": "good"})
        await trio.sleep(1.1)
        assert root.traces.timed(PATH) is None
        await ref.call({"type": "good"})
        assert counts(watch) == {"call 'good'": 1}
        assert f"{PATH} stopwatch" not in task_names()
        assert not root.find(PATH)._target.flagged


async def test_a_shorter_time_cuts_nothing_off(clock: MockClock) -> None:
    """
    Who asks for less does not end what another asked for.
    """
    async with running(Worker) as server:
        watch = server.root.traces.time(PATH, 50)
        server.root.traces.time(PATH, 1)
        assert watch.left == pytest.approx(50)


async def test_a_trace_as_well(clock: MockClock) -> None:
    """
    An actor that is timed can be traced as well, whichever begins first; neither ends the other.
    """
    async with running(Worker) as server:
        root, ref = server.root, server.root.find(PATH)
        watch = root.traces.time(PATH, 60)
        root.traces.begin("/residents", 60)
        await ref.call({"type": "good"})
        assert len(happened(server, "actor.handled", PATH)) == 1
        assert root.traces.end("/residents")
        await ref.call({"type": "good"})
        assert len(happened(server, "actor.handled", PATH)) == 1
        root.traces.begin(PATH, 60)
        await ref.call({"type": "good"})
        assert len(happened(server, "actor.handled", PATH)) == 2
        assert root.traces.timed(PATH) is watch
        assert counts(watch) == {"call 'good'": 3}


async def test_it_ends_with_its_actor(clock: MockClock) -> None:
    """
    It ends with what is at the path, and so does its task.
    """
    async with running(room=Chat) as server:
        async with server.websocket("/room") as client:
            path = "/connections/room/1"
            watch = server.root.traces.time(path, 600)
            client.send_text("hello")
            assert await client.receive_text() == "hello"
            await settle(lambda: counts(watch) == {"text frame": 1})
        await settle(lambda: server.root.connections.open == 0)
        assert server.root.traces.timed(path) is None
        await settle(lambda: f"{path} stopwatch" not in task_names())


async def test_what_is_refused(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is no actor can't be timed, nor for ever, nor too many.
    """
    async with running(Worker) as server:
        time = server.root.traces.time
        for path in ("/residents", "/", "/nowhere"):
            with pytest.raises(ActorNotFound):
                time(path, 1)
        for seconds in (0, -1, 601):
            with pytest.raises(ValueError, match="seconds"):
                time(PATH, seconds)
        monkeypatch.setattr(traces, "_MOST_TIMED", 0)
        with pytest.raises(InvalidState, match="timed already"):
            time(PATH, 1)


async def test_so_many_kinds(clock: MockClock) -> None:
    """
    A message's type may be chosen by a peer: past so many kinds the rest is one.
    """
    watch = Stopwatch(PATH, 10)
    for number in range(MOST_KINDS + 5):
        watch.handled(PATH, 1, f"kind {number}", 0.5, "ok")
    assert len(watch.timings()) == MOST_KINDS + 1
    assert counts(watch)[OTHERS] == 5


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("text frame of 12", "text frame"),
        ("binary frame of 0", "binary frame"),
        ("end of a body, 123 bytes", "end of a body"),
        ("call 'one frame of many'", "call 'one frame of many'"),
        ("'a, b bytes'", "'a, b bytes'"),
        ("timer 'x'", "timer 'x'"),
    ],
)
def test_kinds(message: str, kind: str) -> None:
    """
    A size is no part of the kind, and what only looks like one is.
    """
    assert kind_of(message) == kind
