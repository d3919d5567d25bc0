# Presence in one process and between processes: what is listed, who is told, what is mended.

import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import NotPresent, PresenceDiff, TooManyPresences
from greenroom.actors._lowlevel import LoopThread
from greenroom.supervisor import EventStream, Presences
from greenroom.supervisor._engine import Engine, EngineSink, EngineStatistics
from greenroom.supervisor._presence_exchange import HEARTBEAT_SECONDS, SILENT_SECONDS
from greenroom.supervisor._presence_room import PresenceTally
from greenroom.supervisor._presences import TELL_SECONDS, TOPIC
from greenroom.supervisor._sink import Sink

GRACE = 5.0


class Wire(Engine):
    """One process on a wire that its test can cut: to some of the others, or to all."""

    def __init__(self, wires: "list[Wire]") -> None:
        self.wires = wires
        self.token = trio.lowlevel.current_trio_token()
        self.published: list[dict[str, Any]] = []
        self.topics: set[str] = set()
        self.presences: Presences | None = None
        self.loses: Callable[[dict[str, Any]], bool] = lambda payload: False
        wires.append(self)

    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        raise NotImplementedError

    def publish(self, topic: str, payload: object) -> None:
        assert topic == TOPIC
        assert isinstance(payload, dict)
        self.published.append(payload)
        if not self.loses(payload):
            self.token.run_sync_soon(self.pass_on, payload)

    def pass_on(self, payload: dict[str, Any]) -> None:
        for each in self.wires:
            if each is not self and TOPIC in each.topics:
                assert each.presences is not None
                each.presences.deliver(payload)

    def said(self) -> list[str]:
        """What kinds of news it has passed on, since it was asked last."""
        kinds = [payload["kind"] for payload in self.published]
        self.published.clear()
        return kinds

    def subscribe(self, topic: str) -> None:
        self.topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        self.topics.discard(topic)

    def peers(self) -> frozenset[str]:
        return frozenset()

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(connected=True)


class Someone:
    """A slot that keeps what it is told."""

    def __init__(self, path: str = "/connections/chat/1") -> None:
        self.path = path
        self.diffs: list[PresenceDiff] = []

    def deliver_frame(self, frame: object) -> None:
        raise NotImplementedError

    def deliver_message(self, message: object) -> None:
        assert isinstance(message, PresenceDiff)
        self.diffs.append(message)

    def told(self) -> list[tuple[list[str], list[str], list[str]]]:
        """Who has joined, left, and changed, in each message since it was asked last."""
        told = [(list(each.joined), list(each.left), list(each.changed)) for each in self.diffs]
        self.diffs.clear()
        return told


@asynccontextmanager
async def processes(
    count: int, *, grace: float = GRACE
) -> AsyncGenerator[list[tuple[Presences, Wire]]]:
    """So many processes on one wire, each with its task."""
    wires: list[Wire] = []
    made: list[tuple[Presences, Wire]] = []
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            wire = Wire(wires)
            wire.presences = Presences(wire, EventStream(), LoopThread.current(), grace)
            nursery.start_soon(wire.presences.run)
            made.append((wire.presences, wire))
        yield made
        nursery.cancel_scope.cancel()


def track(presences: Presences, key: str, member: Someone, meta: Any = None) -> None:
    presences.track("room", key, member, meta, 100)


def keys(presences: Presences) -> list[str]:
    return list(presences.listed("room"))


# -- one process -----------------------------------------------------------------------------------


async def test_at_once() -> None:
    """
    What was tracked is listed when track() returns, what was untracked is not.
    """
    async with processes(1) as [(presences, _)]:
        member = Someone()
        track(presences, "ann", member, {"name": "Ann"})
        [presence] = presences.listed("room")["ann"]
        assert (presence.meta, presence.path) == ({"name": "Ann"}, member.path)
        assert presences.tally("room") == PresenceTally(keys=1, here=1, watchers=0)
        assert presences.presences_of(member) == (("room", presence),)
        assert repr(presences) == "<Presences 1 here, 1 topics, 0 other processes>"
        presences.untrack("room", "ann", member)
        assert (keys(presences), presences.count) == ([], 0)


async def test_an_update_keeps_what_it_is() -> None:
    """
    An update says something else of the same presence: its reference and its beginning stay.
    """
    async with processes(1) as [(presences, _)]:
        member = Someone()
        track(presences, "ann", member, {"away": False})
        [was] = presences.listed("room")["ann"]
        presences.update("room", "ann", member, {"away": True})
        [now] = presences.listed("room")["ann"]
        assert (now.ref, now.since, now.meta) == (was.ref, was.since, {"away": True})


async def test_who_tracks_again_says_it_anew() -> None:
    """
    Who is present already says what is new, as the same presence; what is not new goes nowhere.
    """
    async with processes(1) as [(presences, wire)]:
        member = Someone()
        track(presences, "ann", member, {"n": 1})
        [was] = presences.listed("room")["ann"]
        wire.said()
        track(presences, "ann", member, {"n": 1})
        assert wire.said() == []
        track(presences, "ann", member, {"n": 2})
        [now] = presences.listed("room")["ann"]
        assert (now.ref, now.meta, wire.said(), presences.count) == (
            was.ref,
            {"n": 2},
            ["changed"],
            1,
        )


async def test_what_is_refused() -> None:
    """
    One too many, an update of nothing and what can't be said change nothing.
    """
    async with processes(1) as [(presences, wire)]:
        member = Someone()
        presences.track("room", "ann", member, None, 2)
        presences.track("hall", "ann", member, None, 2)
        wire.said()
        with pytest.raises(TooManyPresences, match="max_presences") as refused:
            presences.track("room", "bob", member, None, 2)
        assert refused.value.limit == 2
        with pytest.raises(NotPresent, match="presence_track"):
            presences.update("room", "bob", member, None)
        with pytest.raises(ValueError, match="topic must have 1 to 200 characters"):
            presences.track("", "bob", Someone(), None, 2)
        with pytest.raises(TypeError, match="key of a presence must be a string"):
            presences.track("room", 7, Someone(), None, 2)  # type: ignore[arg-type]
        for meta in ([], {"at": object()}):
            with pytest.raises(TypeError, match="meta of a presence"):
                presences.track("room", "bob", Someone(), meta, 2)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="4096 bytes"):
            presences.track("room", "bob", Someone(), {"x": "y" * 4096}, 2)
        presences.untrack("room", "bob", member)
        presences.unwatch("room", member)
        presences.release(Someone())
        assert (keys(presences), wire.said()) == (["ann"], [])


async def test_the_sender_may_change_its_meta_afterwards() -> None:
    """
    What is listed is what meta was at the call.
    """
    async with processes(1) as [(presences, _)]:
        meta: dict[str, Any] = {"tags": ["a"]}
        track(presences, "ann", Someone(), meta)
        meta["tags"].append("b")
        assert presences.listed("room")["ann"][0].meta == {"tags": ["a"]}


async def test_followed(autojump_clock: MockClock) -> None:
    """
    Who watches is told at once in a quiet topic, and of what follows soon all that has come since.
    """
    async with processes(1) as [(presences, _)]:
        watcher, began = Someone(), trio.current_time()
        track(presences, "ann", Someone())
        assert list(presences.watch("room", watcher)) == ["ann"]
        await wait_all_tasks_blocked()
        watcher.diffs.clear()  # of what it has seen
        await trio.sleep(TELL_SECONDS)

        track(presences, "bob", Someone())
        await wait_all_tasks_blocked()
        assert watcher.told() == [(["bob"], [], [])]
        many = [Someone() for _ in range(100)]
        for number, each in enumerate(many):
            track(presences, str(number), each)
        await wait_all_tasks_blocked()
        assert (watcher.told(), trio.current_time()) == ([], began + TELL_SECONDS)
        await trio.sleep(TELL_SECONDS)
        await wait_all_tasks_blocked()
        assert watcher.told() == [([str(number) for number in range(100)], [], [])]

        presences.unwatch("room", watcher)
        presences.untrack("room", None, many[0])
        await trio.sleep(1)
        assert watcher.told() == []


async def test_a_thread_may_do_all_of_it() -> None:
    """
    What a worker thread does is told by the loop as well.
    """
    async with processes(1) as [(presences, _)]:
        watcher, member = Someone(), Someone()
        presences.watch("room", watcher)
        thread = threading.Thread(target=track, args=(presences, "ann", member))
        await trio.to_thread.run_sync(lambda: (thread.start(), thread.join()))
        with trio.fail_after(60):
            while not watcher.diffs:
                await wait_all_tasks_blocked()
        assert watcher.told() == [(["ann"], [], [])]


async def test_with_grace(autojump_clock: MockClock) -> None:
    """
    A member that ends leaves all its topics and what it watches, when nobody takes its place.
    """
    async with processes(1) as [(presences, _)]:
        watcher, first = Someone(), Someone()
        presences.watch("room", watcher)
        presences.watch("room", first)
        track(presences, "ann", first)
        track(presences, "bob", first)
        await trio.sleep(1)
        watcher.diffs.clear()

        presences.release(first)
        assert (keys(presences), presences.count) == (["ann", "bob"], 0)
        await trio.sleep(GRACE - 1)
        track(presences, "ann", Someone())
        await trio.sleep(9)
        assert watcher.told() == [([], ["bob"], [])]
        assert keys(presences) == ["ann"]
        assert presences.tally("room") == PresenceTally(keys=1, here=1, watchers=1)


async def test_graces_that_end_one_by_one(autojump_clock: MockClock) -> None:
    """
    Of a crowd that goes bit by bit is told as of all changes: 0.1 s apart, and not of each.
    """
    async with processes(1) as [(presences, _)]:
        watcher, crowd = Someone(), [Someone() for _ in range(50)]
        for number, each in enumerate(crowd):
            track(presences, f"{number}", each)
        await trio.sleep(1)
        presences.watch("room", watcher)
        for each in crowd:
            presences.release(each)
            await trio.sleep(0.01)
        await trio.sleep(GRACE + 1)
        told = watcher.told()
        assert sum(len(left) for _, left, _ in told) == 50
        assert len(told) <= 0.5 / 0.1 + 2


async def test_others_have_their_turns() -> None:
    """
    However many topics change at once, and however many watch, others have turns in between.
    """
    async with processes(1) as [(presences, _)]:
        members = [Someone() for _ in range(450)]
        for number, each in enumerate(members):
            presences.watch("room", each)
            presences.track(f"room {number}", "ann", each, None, 1)
            presences.watch(f"room {number}", each)
        track(presences, "bob", Someone())
        told: list[int] = []
        while not told or told[-1] < 900:
            await trio.lowlevel.checkpoint()
            told.append(sum(len(each.diffs) for each in members))
        steps = [now - before for before, now in pairwise([0, *told])]
        assert max(steps) <= 2 * 200


async def test_nothing(autojump_clock: MockClock) -> None:
    """
    Where nobody is present nothing is subscribed or said; in a process that is alone no timer runs,
    and a topic that all have left is forgotten.
    """
    async with processes(1) as [(presences, wire)]:
        presences.release(Someone())
        assert (wire.topics, wire.published) == (set(), [])
        member = Someone()
        track(presences, "ann", member)
        presences.watch("room", member)
        assert (wire.topics, wire.said()) == ({TOPIC}, ["ask", "changed"])
        presences.release(member)
        await trio.sleep(2 * GRACE)
        assert (wire.said(), presences.topics()) == (["changed"], [])
        await trio.sleep(9 * HEARTBEAT_SECONDS)
        assert wire.said() == []


# -- several processes -----------------------------------------------------------------------------


async def test_all_processes_list_the_same(autojump_clock: MockClock) -> None:
    """
    Who comes and goes in one process is listed, and told, in the others.
    """
    async with processes(3) as [(first, _), (second, _), (third, _)]:
        watcher, member = Someone(), Someone()
        third.watch("room", watcher)
        await trio.sleep(1)
        track(first, "ann", member, {"n": 1})
        track(second, "bob", Someone())
        await trio.sleep(1)
        assert [sorted(keys(each)) for each in (first, second, third)] == [["ann", "bob"]] * 3
        assert third.listed("room")["ann"] == first.listed("room")["ann"]
        first.update("room", "ann", member, {"n": 2})
        await trio.sleep(1)
        assert second.listed("room")["ann"][0].meta == {"n": 2}
        first.untrack("room", "ann", member)
        await trio.sleep(1)
        assert keys(third) == ["bob"]
        assert watcher.told() == [
            (["ann", "bob"], [], []),
            ([], [], ["ann"]),
            ([], ["ann"], []),
        ]


async def test_the_whole_state_in_parts(autojump_clock: MockClock) -> None:
    """
    Who comes later gets all that is there, however much, with what changes meanwhile.
    """
    async with processes(2) as [(first, wire), (second, _)]:
        members = [Someone() for _ in range(1001)]
        for number, each in enumerate(members):
            track(first, str(number), each)
        assert keys(second) == []
        await wait_all_tasks_blocked()
        for each in members[::7]:
            first.release(each)
        await trio.sleep(1)
        assert max(len(payload["put"]) for payload in wire.published) <= 200
        assert sorted(keys(second)) == sorted(keys(first))
        await trio.sleep(GRACE)
        assert sorted(keys(second)) == sorted(keys(first))
        assert len(keys(second)) == 858


async def test_no_flicker_from_process_to_process(autojump_clock: MockClock) -> None:
    """
    Who reconnects to another process within the grace was never away, in any process.
    """
    async with processes(2) as [(first, _), (second, _)]:
        watchers = [Someone(), Someone()]
        first.watch("room", watchers[0])
        second.watch("room", watchers[1])
        member = Someone()
        track(first, "ann", member)
        await trio.sleep(1)
        for each in watchers:
            each.diffs.clear()
        first.release(member)
        await trio.sleep(GRACE / 2)
        track(second, "ann", Someone())
        await trio.sleep(9 * GRACE)
        assert [each.told() for each in watchers] == [[], []]
        assert keys(first) == keys(second) == ["ann"]


@pytest.mark.parametrize("lost", ["ask", "changed", "state", "alive"])
async def test_mended(autojump_clock: MockClock, lost: str) -> None:
    """
    Whatever kind of news was lost for a while, soon after all processes list the same.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        wire.loses = other.loses = lambda payload: payload["kind"] == lost
        track(first, "ann", Someone())
        track(second, "bob", Someone())
        await trio.sleep(1)
        track(first, "cem", Someone())
        wire.loses = other.loses = lambda payload: False
        track(second, "dan", Someone())
        await trio.sleep(2 * HEARTBEAT_SECONDS + 1)
        assert sorted(keys(first)) == sorted(keys(second)) == ["ann", "bob", "cem", "dan"]


async def test_a_gap_is_mended_at_once(autojump_clock: MockClock) -> None:
    """
    Where the engine says that something was lost nobody waits for a heartbeat.
    """
    async with processes(2) as [(first, wire), (second, _)]:
        keys(second)
        track(first, "ann", Someone())
        await trio.sleep(2)
        wire.loses = lambda payload: True
        track(first, "bob", Someone())
        await trio.sleep(0)
        wire.loses = lambda payload: False
        second.gap()
        await wait_all_tasks_blocked()
        assert keys(second) == ["ann", "bob"]


async def test_silent(autojump_clock: MockClock) -> None:
    """
    What is of a process that says nothing any more is gone, and told; when it is back so is that.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        watcher = Someone()
        second.watch("room", watcher)
        track(first, "ann", Someone())
        await trio.sleep(60)
        assert watcher.told() == [(["ann"], [], [])]

        wire.loses = other.loses = lambda payload: True
        await trio.sleep(SILENT_SECONDS + HEARTBEAT_SECONDS + 1)
        assert watcher.told() == [([], ["ann"], [])]
        assert keys(second) == []
        assert repr(second) == "<Presences 0 here, 1 topics, 0 other processes>"

        wire.loses = other.loses = lambda payload: False
        second.gap()
        await trio.sleep(2)
        assert watcher.told() == [(["ann"], [], [])]


async def test_a_process_that_is_alone_again_is_quiet(autojump_clock: MockClock) -> None:
    """
    Once the last other process is silent no heartbeat is sent any more.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        keys(second)
        track(first, "ann", Someone())
        await trio.sleep(1)
        other.loses = lambda payload: True
        await trio.sleep(SILENT_SECONDS + HEARTBEAT_SECONDS + 1)
        wire.said()
        await trio.sleep(60)
        assert wire.said() == []


async def test_what_can_not_be_read(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What somebody else says under our topic is told once and passed over, as is another form.
    """
    async with processes(1) as [(presences, wire)]:
        track(presences, "ann", Someone())
        [good] = [each for each in wire.published if each["kind"] == "changed"]
        entry = good["put"][0]
        presences.deliver({**good, "process": "x", "form": 2})
        assert not caplog.records
        for bad in ("text", {}, {"form": 1}, {**good, "put": [1]}, {**good, "version": "1"}):
            presences.deliver(bad)
        presences.deliver({**good, "process": "y", "put": [[*entry[:2], [], *entry[3:]]]})
        presences.deliver(good)  # its own
        await trio.sleep(1)
        assert [each.getMessage()[:42] for each in caplog.records] == [
            "what was said of presences can't be read: "
        ]
        assert keys(presences) == ["ann"]


async def test_the_sink_hands_on() -> None:
    """
    What comes from the engine goes to the presences by its topic, all else to the groups; a gap to
    both.
    """
    heard: list[tuple[object, ...]] = []

    class Ear:
        def __init__(self, name: str) -> None:
            self.name = name

        def deliver(self, *said: object) -> None:
            heard.append((self.name, *said))

        def gap(self, *said: object) -> None:
            heard.append((self.name, "gap", *said))

    sink = Sink(Ear("groups"), Ear("presences"))  # type: ignore[arg-type]
    sink.deliver("group:presence", "a")
    sink.deliver(TOPIC, "b")
    sink.gap("why")
    assert heard == [
        ("groups", "group:presence", "a"),
        ("presences", "b"),
        ("groups", "gap", "why"),
        ("presences", "gap"),
    ]
