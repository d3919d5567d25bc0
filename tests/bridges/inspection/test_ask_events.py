# The event stream by number: what there was, what comes next, what was missed.

import threading
from typing import Any

import pytest
import trio
from helpers import running
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, handles
from greenroom.bridges.inspection._ask_events import SLICE
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import EventStream

from .asking import asked


class Worker(Actor):
    @handles("work")
    async def work(self) -> None:
        pass


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


def emit(server: ServerDriver, count: int, path: str = "/residents/worker") -> None:
    """Emit *count* events."""
    for number in range(count):
        server.root.events.emit("output.slow", path, 1, bytes=number)


def numbers(answer: dict[str, Any]) -> list[int]:
    return [event["number"] for event in answer["events"]]


async def test_the_latest() -> None:
    """
    Without a number the latest come, the newest last, with those below a path, or of kinds that
    begin so.
    """
    async with running(Worker) as server:
        emit(server, 5)
        emit(server, 2, "/residents/workers")
        last = server.root.events.last
        assert numbers(await asked(server, "events", limit=3)) == [last - 2, last - 1, last]
        below = await asked(server, "events", path="/residents/worker", kind="output.")
        assert numbers(below) == list(range(last - 6, last - 1))
        assert below["events"][0]["facts"] == {"bytes": 0}
        assert (below["next"], below["more"], below["missed"]) == (last, False, False)
        assert numbers(await asked(server, "events", before=last - 1, limit=1)) == [last - 2]


async def test_following() -> None:
    """
    Who says what he has seen gets what came behind it, the first of it first, and nothing twice.
    """
    async with running(Worker) as server:
        begin = server.root.events.last
        emit(server, 7)
        seen: list[int] = []
        after, more = begin, True
        while more:
            answer = await asked(server, "events", after=after, limit=3)
            after, more = answer["next"], answer["more"]
            seen += numbers(answer)
        assert seen == list(range(begin + 1, begin + 8))
        assert (await asked(server, "events", after=after))["events"] == []


async def test_missed() -> None:
    """
    Who comes too late, or has seen another process, is told that he has missed something.
    """
    async with running(Worker) as server:
        begin = server.root.events.last
        emit(server, 999)
        assert not (await asked(server, "events", after=begin, limit=1))["missed"]
        emit(server, 10)
        late = await asked(server, "events", after=begin, limit=1)
        assert late["missed"]
        assert numbers(late) == [server.root.events.forgotten + 1]
        strange = await asked(server, "events", after=10**6, limit=1)
        assert strange["missed"]
        assert numbers(strange) == numbers(late)


async def test_waiting(clock: MockClock) -> None:
    """
    Who waits gets the next event that he wants, from whatever thread, or none when his time is
    over.
    """
    async with running(Worker) as server:
        last = server.root.events.last
        subscribers = len(server.root.events._subscribers)
        answers: list[dict[str, Any]] = []

        async def wait(**fields: object) -> None:
            answers.append(await asked(server, "events", after=last, wait=20, **fields))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: wait(path="/residents/worker"))
            await wait_all_tasks_blocked()
            emit(server, 1, "/residents/other")
            await wait_all_tasks_blocked()
            assert answers == []
            # The loop waits for it, or the clock would run ahead of a slow thread.
            thread = threading.Thread(target=emit, args=(server, 1))
            thread.start()
            thread.join()
        assert numbers(answers.pop()) == [last + 2]
        began = trio.current_time()
        answer = await asked(server, "events", after=last, wait=20, path="/nowhere")
        assert trio.current_time() - began == 20
        assert (answer["events"], answer["next"]) == ([], last + 2)
        assert len(server.root.events._subscribers) == subscribers


async def test_what_is_there_is_not_waited_for(clock: MockClock) -> None:
    """
    Who waits for what is there already has it at once.
    """
    async with running(Worker) as server:
        last = server.root.events.last
        emit(server, 1)
        began = trio.current_time()
        assert numbers(await asked(server, "events", after=last, wait=20)) == [last + 1]
        assert trio.current_time() == began


async def test_traces(clock: MockClock) -> None:
    """
    What a trace tells is there for who asks for its kind, in its place among the others.
    """
    async with running(Worker) as server:
        server.root.traces.begin("/residents/worker", 60)
        await server.root.find("/residents/worker").call({"type": "work"})
        emit(server, 1)
        kinds = [each["kind"] for each in (await asked(server, "events"))["events"]]
        assert "actor.handled" not in kinds
        answer = await asked(server, "events", kind="actor.", path="/residents")
        assert [each["kind"] for each in answer["events"]] == ["actor.handled"]


async def test_no_stacks() -> None:
    """
    Where code stood is told to who asks for it, which others may be refused.
    """
    async with running(Worker) as server:
        server.root.events.emit("slot.unkillable", "/residents/worker", 1, stack="views.py:7")
        [event] = (await asked(server, "events", kind="slot.unkillable"))["events"]
        assert event["facts"] == {}
        [event] = (await asked(server, "events", kind="slot.unkillable", stack=True))["events"]
        assert event["facts"] == {"stack": "views.py:7"}


@pytest.mark.parametrize(
    "fields", [{"wait": 26}, {"wait": 0}, {"after": "x"}, {"limit": 0}, {"kind": 5}, {"who": 1}]
)
async def test_refused(fields: dict[str, Any]) -> None:
    """
    A field that is wrong, or unknown, is refused.
    """
    async with running(Worker) as server:
        assert (await asked(server, "events", **fields))["error"]["code"] == "bad-question"


async def test_it_holds_nobody_up() -> None:
    """
    So many events and no more are looked at between two turns.
    """
    async with running(Worker) as server:
        emit(server, 1000)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.sleep(0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            await asked(server, "events", kind="nothing")
            nursery.cancel_scope.cancel()
        assert turns >= 1000 / SLICE


def test_numbers_have_no_gaps() -> None:
    """
    Events of several threads are remembered in the order of their numbers.
    """
    stream = EventStream(1000)

    def work() -> None:
        for _ in range(100):
            stream.emit("output.slow", "/x", 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.number for each in stream.remembered()] == list(range(1, 401))
    assert (stream.last, stream.forgotten) == (400, 0)


async def test_what_comes_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An event that a thread emits in the very moment of the look is told once, the next time.
    """
    async with running(Worker) as server:
        stream, last = server.root.events, server.root.events.last
        remembered = EventStream.remembered

        def late(stream: EventStream, *, traced: bool = False) -> Any:
            if stream.last == last:
                emit(server, 1)
            return remembered(stream, traced=traced)

        monkeypatch.setattr(EventStream, "remembered", late)
        first = await asked(server, "events", after=last)
        assert (first["events"], first["next"]) == ([], last)
        assert numbers(await asked(server, "events", after=first["next"])) == [stream.last]


async def test_of_a_trace_too_much_came() -> None:
    """
    Who follows what a trace tells of is told that he has missed some of it; the others have not.
    """
    async with running(Worker) as server:
        last = server.root.events.last
        for _ in range(1001):
            server.root.events.emit("actor.handled", "/x", 1)
        assert (await asked(server, "events", after=last, kind="actor"))["missed"]
        assert not (await asked(server, "events", after=last))["missed"]
        behind = server.root.events.last - 5
        assert not (await asked(server, "events", after=behind, kind="actor"))["missed"]


async def test_what_is_kept_apart(clock: MockClock) -> None:
    """
    The comings and goings of who looks at the tree are no news; who asks for their branch gets
    them, and is told what of them was forgotten.
    """
    async with running(Worker) as server:
        events = server.root.events
        events.keep_apart("/connections/feed")
        last = events.last
        async with trio.open_nursery() as nursery:
            waiting: list[dict[str, Any]] = []

            async def wait() -> None:
                waiting.append(await asked(server, "events", after=last, wait=20))

            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            events.emit("connection.opened", "/connections/feed/1")
            await wait_all_tasks_blocked()
            assert waiting == []
            emit(server, 1)
        assert numbers(waiting[0]) == [last + 2]
        assert waiting[0]["missed"] is False
        for path in ("/connections/feed", "/connections/feed/1"):
            assert numbers(await asked(server, "events", path=path)) == [last + 1]
        assert numbers(await asked(server, "events", path="/connections")) == []
        for _ in range(100):
            events.emit("connection.opened", "/connections/feed/2")
        missed = await asked(server, "events", path="/connections/feed", after=last)
        assert missed["missed"] is True
        assert (await asked(server, "events", after=last))["missed"] is False
