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
from greenroom.supervisor._presence_exchange import ALONE_SECONDS, HEARTBEAT_SECONDS, SILENT_SECONDS
from greenroom.supervisor._presence_room import PresenceTally
from greenroom.supervisor._presence_teller import TELL_SECONDS
from greenroom.supervisor._presences import TOPIC
from greenroom.supervisor._sink import Sink

GRACE = 5.0


class Wire(Engine):
    """One process on a wire that its test can cut: to some of the others, or to all."""

    def __init__(self, wires: "list[Wire]") -> None:
        self.wires = wires
        self.token = trio.lowlevel.current_trio_token()
        self.published: list[dict[str, Any]] = []
        self.all_said: list[dict[str, Any]] = []
        self.events = EventStream()
        self.lag = 0
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
        lost = self.loses(payload)
        self.published.append(payload)
        self.all_said.append(payload)
        if not lost:
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
        return EngineStatistics(connected=True, lag_bytes=self.lag)


class Someone:
    """A slot that keeps what it is told."""

    def __init__(self, path: str = "/connections/chat/1") -> None:
        self.path = path
        self.diffs: list[PresenceDiff] = []
        self.is_full = False

    def deliver_frame(self, frame: object) -> None:
        raise NotImplementedError

    def deliver_message(self, message: object) -> bool:
        assert isinstance(message, PresenceDiff)
        if not self.is_full:
            self.diffs.append(message)
        return self.is_full

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
            wire.presences = Presences(wire, wire.events, LoopThread.current(), grace)
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
        presences.watch("room", member, 1)
        presences.watch("room", member, 1)
        with pytest.raises(TooManyPresences, match="may watch 1 topics, unwatch one"):
            presences.watch("hall", member, 1)
        with pytest.raises(NotPresent, match="presence_track"):
            presences.update("room", "bob", member, None)
        with pytest.raises(ValueError, match="topic must have 1 to 200 characters"):
            presences.track("", "bob", Someone(), None, 2)
        with pytest.raises(TypeError, match="key of a presence must be a string"):
            presences.track("room", 7, Someone(), None, 2)  # type: ignore[arg-type]
        deep: list[Any] = []
        for _ in range(32):
            deep = [deep]
        for meta in (
            [],
            {"at": object()},
            {"x": {1}},
            {"x": 2**64},
            {"x": float("inf")},
            {"x": deep},
            {"x": "\ud800"},
            {"x": {1: 2}},
        ):
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
        assert list(presences.watch("room", watcher, 100)) == ["ann"]
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
        presences.watch("room", watcher, 100)
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
        presences.watch("room", watcher, 100)
        presences.watch("room", first, 100)
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
        presences.watch("room", watcher, 100)
        for each in crowd:
            presences.release(each)
            await trio.sleep(0.01)
        await trio.sleep(GRACE + 1)
        told = watcher.told()
        assert sum(len(left) for _, left, _ in told) == 50
        assert len(told) <= 0.5 / 0.1 + 2


async def test_turns(autojump_clock: MockClock) -> None:
    """
    However many topics change at once, and however many watch, others have turns in between.
    """
    async with processes(1) as [(presences, _)]:
        members = [Someone() for _ in range(450)]
        for number, each in enumerate(members):
            presences.watch("room", each, 100)
            presences.watch(f"room {number}", each, 100)
            presences.track(f"room {number}", "ann", each, None, 1)
        for number in range(450):
            track(presences, str(number), Someone())
        told, keys_told = [0], [0]
        while keys_told[-1] < 450 + 450 * 450:
            await trio.lowlevel.checkpoint()
            told.append(sum(len(each.diffs) for each in members))
            keys_told.append(sum(len(diff.joined) for each in members for diff in each.diffs))
        assert max(now - before for before, now in pairwise(told)) <= 2 * 200
        assert max(len(diff.joined) for each in members for diff in each.diffs) <= 200


async def test_nothing(autojump_clock: MockClock) -> None:
    """
    Where nobody is present nothing is subscribed or said; a topic that all have left is forgotten.
    """
    async with processes(1) as [(presences, wire)]:
        presences.release(Someone())
        assert (wire.topics, wire.published) == (set(), [])
        member = Someone()
        track(presences, "ann", member)
        presences.watch("room", member, 100)
        assert (wire.topics, wire.said()) == ({TOPIC}, ["ask", "changed"])
        presences.release(member)
        await trio.sleep(2 * GRACE)
        assert (wire.said(), presences.topics()) == (["changed"], [])


# -- several processes -----------------------------------------------------------------------------


async def test_all_processes_list_the_same(autojump_clock: MockClock) -> None:
    """
    Who comes and goes in one process is listed, and told, in the others.
    """
    async with processes(3) as [(first, _), (second, _), (third, _)]:
        watcher, member = Someone(), Someone()
        third.watch("room", watcher, 100)
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
        first.watch("room", watchers[0], 100)
        second.watch("room", watchers[1], 100)
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
        second.watch("room", watcher, 100)
        track(first, "ann", Someone())
        await trio.sleep(60)
        assert watcher.told() == [(["ann"], [], [])]

        wire.loses = other.loses = lambda payload: True
        await trio.sleep(SILENT_SECONDS + HEARTBEAT_SECONDS + 1)
        assert watcher.told() == [([], ["ann"], [])]
        assert keys(second) == []
        assert repr(second) == "<Presences 0 here, 1 topics, 0 other processes>"
        assert [each.facts for each in other.events.recent(9, "presence.lost")] == [
            {"process": first_id(wire), "presences": 1}
        ]

        wire.loses = other.loses = lambda payload: False
        second.gap()
        await trio.sleep(2)
        assert watcher.told() == [(["ann"], [], [])]


async def test_who_does_not_know_of_each_other(autojump_clock: MockClock) -> None:
    """
    Processes that have forgotten each other, and were told of no gap, find each other again.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        track(first, "ann", Someone())
        track(second, "bob", Someone())
        await trio.sleep(1)
        wire.loses = other.loses = lambda payload: True
        await trio.sleep(SILENT_SECONDS + HEARTBEAT_SECONDS + 1)
        assert (keys(first), keys(second)) == (["ann"], ["bob"])
        wire.said()
        await trio.sleep(10 * ALONE_SECONDS)
        assert wire.said() == ["alive"] * 10
        wire.loses = other.loses = lambda payload: False
        await trio.sleep(ALONE_SECONDS + 1)
        assert sorted(keys(first)) == sorted(keys(second)) == ["ann", "bob"]


async def test_a_loop_that_stood_still(autojump_clock: MockClock) -> None:
    """
    A process that stood still, and so heard nobody, does not take all the others for silent.
    """
    async with processes(2) as [(first, _), (second, other)]:
        track(first, "ann", Someone())
        keys(second)
        await trio.sleep(1)
        autojump_clock.jump(4 * SILENT_SECONDS)
        await wait_all_tasks_blocked()
        assert keys(second) == ["ann"]
        await trio.sleep(2 * SILENT_SECONDS)
        assert keys(second) == ["ann"]
        assert list(other.events.recent(9, "presence.lost")) == []


async def test_gone(autojump_clock: MockClock) -> None:
    """
    A process that goes says so once, with all that is in it: elsewhere that has its grace.
    """
    async with processes(2) as [(first, wire), (second, _)]:
        watcher, members = Someone(), [Someone() for _ in range(100)]
        second.watch("room", watcher, 100)
        for number, each in enumerate(members):
            track(first, str(number), each)
        await trio.sleep(1)
        wire.said()
        first.leave()
        first.leave()
        for each in members[1:]:
            first.release(each)
        first.untrack("room", None, members[0])
        track(first, "late", members[0])
        await trio.sleep(GRACE - 1)
        assert (wire.said(), len(keys(second)), keys(first)[-1]) == (["gone"], 100, "late")
        track(second, "7", Someone())
        await trio.sleep(2)
        assert keys(second) == ["7"]
        assert sum(len(each.left) for each in watcher.diffs) == 99


async def test_who_comes_back_while_it_is_forgotten(autojump_clock: MockClock) -> None:
    """
    What a process says anew is there, though what it said before is still being taken out.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        seen: list[int] = []

        class Doctor(Someone):
            def deliver_message(self, message: object) -> bool:
                if isinstance(message, PresenceDiff) and message.left and not seen:
                    seen.append(len(keys(second)))
                    wire.loses = other.loses = lambda payload: False
                    first.gap()
                return super().deliver_message(message)

        second.watch("room", Doctor(), 100)
        for number in range(500):
            track(first, str(number), Someone())
        await trio.sleep(1)
        wire.loses = other.loses = lambda payload: True
        await trio.sleep(SILENT_SECONDS + 2 * HEARTBEAT_SECONDS)
        assert 0 < seen[0] < 500
        await trio.sleep(2 * HEARTBEAT_SECONDS)
        assert sorted(keys(second)) == sorted(keys(first))


async def test_what_the_engine_refuses(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    An engine that refuses news leaves the process at work, and is told of once.
    """
    async with processes(1) as [(presences, wire)]:
        member = Someone()
        track(presences, "ann", member)

        def refuse(payload: dict[str, Any]) -> bool:
            raise TypeError("too much")

        wire.loses = refuse
        presences.deliver(asks(presences, wire))
        with pytest.raises(TypeError, match="too much"):
            track(presences, "bob", Someone())
        presences.release(member)
        await trio.sleep(ALONE_SECONDS + GRACE)
        assert [each.getMessage() for each in caplog.records] == [
            "the engine refuses what is to be said of presences"
        ]
        assert (keys(presences), presences.count) == ([], 0)


def first_id(wire: Wire) -> str:
    """The name of the process on *wire*, as it calls itself."""
    return str(wire.all_said[0]["process"])


def asks(presences: Presences, wire: Wire) -> dict[str, Any]:
    """The news by which another process asks the one on *wire* for its state."""
    return {**wire.all_said[0], "process": "another", "kind": "ask", "to": first_id(wire)}


async def test_the_state_waits_for_the_engine(autojump_clock: MockClock) -> None:
    """
    A whole state is said no faster than the engine sends, and to who asks by name only.
    """
    async with processes(1) as [(presences, wire)]:
        for number in range(200):
            track(presences, str(number), Someone())
        wire.said()
        presences.deliver({**asks(presences, wire), "to": ""})
        await trio.sleep(1)
        assert wire.said() == ["alive"]
        wire.lag = 10**9
        presences.deliver(asks(presences, wire))
        await trio.sleep(2)
        assert wire.said() == ["state"]
        wire.lag = 0
        await trio.sleep(1)
        assert wire.said() == ["state"] * 3
        wire.lag = 10**9
        presences.deliver(asks(presences, wire))
        await trio.sleep(60)
        wire.lag = 0
        await trio.sleep(60)
        assert wire.said().count("state") == 1


async def test_behind(autojump_clock: MockClock) -> None:
    """
    Whose mailbox is full is told the whole once there is room, and others are told as ever.
    """
    async with processes(1) as [(presences, _)]:
        full, other, member = Someone(), Someone(), Someone()
        presences.watch("room", full, 100)
        presences.watch("room", other, 100)
        full.is_full = True
        track(presences, "ann", member)
        await trio.sleep(1)
        track(presences, "bob", Someone())
        await trio.sleep(3)
        presences.untrack("room", "ann", member)
        await trio.sleep(3)
        assert (full.told(), len(other.told())) == ([], 3)
        full.is_full = False
        await trio.sleep(3)
        [diff] = full.diffs
        assert (list(diff.joined), diff.whole) == (["bob"], True)
        track(presences, "cem", Someone())
        await trio.sleep(3)
        assert full.told()[1:] == other.told() == [(["cem"], [], [])]

        full.is_full = True
        track(presences, "dan", Someone())
        await trio.sleep(1)
        presences.release(full)
        full.is_full = False
        await trio.sleep(3)
        assert full.told() == []


async def test_who_watches_again(autojump_clock: MockClock) -> None:
    """
    Who watches again is told the whole behind what he was told before, also what he has missed.
    """
    async with processes(1) as [(presences, _)]:
        watcher, member = Someone(), Someone()
        presences.watch("room", watcher, 100)
        track(presences, "ann", member)
        await trio.sleep(1)
        watcher.is_full = True
        presences.untrack("room", "ann", member)
        await trio.sleep(0.5)
        watcher.is_full = False
        assert presences.watch("room", watcher, 100) == {}
        await trio.sleep(5)
        assert [(list(each.joined), each.whole) for each in watcher.diffs] == [
            (["ann"], False),
            ([], True),
        ]


async def test_many_gaps_are_one_question(autojump_clock: MockClock) -> None:
    """
    However many gaps are told, and however many ask, all are asked, and told, once a second.
    """
    async with processes(2) as [(first, wire), (second, other)]:
        track(first, "ann", Someone())
        keys(second)
        await trio.sleep(2)
        wire.said()
        other.said()
        for _ in range(50):
            second.gap()
            await trio.sleep(0.01)
        for number in range(50):
            first.deliver({**asks(first, wire), "process": f"another {number}", "to": ""})
            await trio.sleep(0.01)
        assert other.said() == ["ask"]
        assert wire.said().count("alive") <= 2


async def test_one_state_at_a_time(autojump_clock: MockClock) -> None:
    """
    Who asks while a state is being said has it begin anew behind its end, not before.
    """
    async with processes(1) as [(presences, wire)]:
        for number in range(200):
            track(presences, str(number), Someone())
        wire.lag = 10**9
        wire.said()
        for _ in range(20):
            presences.deliver(asks(presences, wire))
            await trio.sleep(1)
        assert wire.said().count("state") == 1
        wire.lag = 0
        await trio.sleep(4)
        parts = [each["part"] for each in wire.published if each["kind"] == "state"]
        assert parts == [1, 2, 3, 0, 1, 2, 3]


async def test_each_has_its_own() -> None:
    """
    What an actor does with what it was told changes nothing for another.
    """
    async with processes(1) as [(presences, _)]:
        watchers = [Someone(), Someone()]
        for each in watchers:
            presences.watch("room", each, 100).clear()
        track(presences, "ann", Someone())
        await wait_all_tasks_blocked()
        watchers[0].diffs[0].joined.clear()
        assert watchers[1].told() == [(["ann"], [], [])]
        presences.listed("room").clear()
        assert keys(presences) == ["ann"]


async def test_behind_the_end(autojump_clock: MockClock) -> None:
    """
    Behind the end of the tree nobody is noted, and nothing goes wrong.
    """
    async with processes(1) as [(presences, wire)]:
        member = Someone()
        track(presences, "ann", member)
        presences.watch("room", member, 100)
    wire.said()
    track(presences, "bob", Someone())
    assert presences.watch("hall", Someone(), 100) == {}
    presences.untrack("room", "ann", member)
    presences.unwatch("room", member)
    presences.release(member)
    assert (presences.topics(), presences.count, wire.said()) == ([], 0, [])


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
        presences.deliver({**good, "process": "y"})  # whose it is not
        deep = [*entry[:2], {"x": {1: 2}}, *entry[3:5], "y:1"]
        presences.deliver({**good, "process": "y", "put": [deep]})
        other = [*entry[:5], "y:1"]
        for wrong in (["", *other[1:]], [other[0], "\ud800", *other[2:]]):
            presences.deliver({**good, "process": "y", "put": [wrong]})
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
