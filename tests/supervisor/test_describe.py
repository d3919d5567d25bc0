# What an operator is shown of an actor's state.

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorNotFound,
    ActorStopped,
    CallTimeout,
    SelfCall,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import DescribeFailed, InvalidState, Options, SupervisorSpec, current_root
from greenroom.supervisor._inquiries import MOST_IN_ONE, MOST_VALUES, shown

PATH = "/residents/counter"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Counter(Actor):
    """Counts, and shows how far it is, but not its secret."""

    def __init__(self):
        self.count, self.secret, self.busy = 0, "xyzzy", False

    def describe(self):
        return {"count": self.count, "busy": self.busy, "secret": "***"}

    @handles("add")
    async def on_add(self, message):
        self.busy = True
        await trio.sleep(message.get("seconds", 0))
        self.count, self.busy = self.count + 1, False

    @handles("crash")
    async def on_crash(self, message):
        raise ValueError("boom")

    @handles("crash later")
    async def on_crash_later(self, message):
        await trio.sleep(2)
        raise ValueError("boom")


class AsyncCounter(Counter):
    async def describe(self):
        await trio.sleep(0)
        return super().describe()


KINDS = pytest.mark.parametrize("counter", [Counter, AsyncCounter])


def named(cls: type[Actor], **attributes: Any) -> type[Actor]:
    """Return a subclass of *cls* that is found at PATH."""
    return type("Counter", (cls,), attributes)


@KINDS
async def test_what_the_class_shows(clock: MockClock, counter: type[Actor]) -> None:
    """
    The answer is what describe() returns, `def` or `async def`; no event, no message, no count.
    """
    async with running(named(counter)) as server:
        await server.root.find(PATH).call({"type": "add"})
        before = server.root.events.counts()
        assert await server.root.describe(PATH) == {"count": 1, "busy": False, "secret": "***"}
        assert server.root.events.counts() == before
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert (node.facts["handled"], node.mailbox) == (1, (0, 256))


async def test_who_shows_nothing(clock: MockClock) -> None:
    """
    A class without describe() shows nothing, whatever its attributes are.
    """

    class Closed(Actor):
        def __init__(self):
            self.secret = "xyzzy"

    class Room(WebsocketConsumer):
        def describe(self):
            return {"epoch": self.epoch}

    async with running(Closed, room=Room) as server:
        assert await server.root.describe("/residents/closed") is None
        async with server.websocket("/room"):
            assert await server.root.describe("/connections/room/1") == {"epoch": 1}


@KINDS
async def test_between(clock: MockClock, counter: type[Actor]) -> None:
    """
    BETWEEN: asked in the middle of a message it answers when that is done, before all others.
    """
    async with running(named(counter)) as server:
        ref = server.root.find(PATH)
        for _ in range(3):
            ref.cast({"type": "add", "seconds": 2})
        await trio.sleep(1)
        began = trio.current_time()
        answer = await server.root.describe(PATH)
        assert trio.current_time() - began == pytest.approx(1)
        assert answer == {"count": 1, "busy": False, "secret": "***"}


async def test_between_messages_of_a_thread() -> None:
    """
    A `def` handler is not disturbed either: describe() runs when its thread has come back.
    """
    held, order = threading.Event(), []

    class Threaded(Actor):
        @handles("work")
        def on_work(self, message):
            order.append("begins")
            held.wait(10)
            order.append("ends")

        def describe(self):
            order.append("describes")
            return {"thread": threading.current_thread() is not threading.main_thread()}

    async with running(Threaded) as server, trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await server.root.describe("/residents/threaded"))

        server.root.find("/residents/threaded").cast({"type": "work"})
        await settle(lambda: order)
        nursery.start_soon(ask)
        for _ in range(10):
            await trio.sleep(0)
        assert order == ["begins"]
        held.set()
    assert order == ["begins", "ends", "describes"]
    assert answers == [{"thread": True}]


@KINDS
async def test_suspended(clock: MockClock, counter: type[Actor]) -> None:
    """
    A suspended actor answers, and is as suspended as before: nothing that waits is handled.
    """
    async with running(named(counter)) as server:
        server.root.suspensions.begin(PATH, 60)
        server.root.find(PATH).cast({"type": "add"})
        for _ in range(2):
            await trio.sleep(1)
            answer = await server.root.describe(PATH)
            assert answer is not None
            assert answer["count"] == 0
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert (node.state, node.mailbox) == ("suspended", (1, 256))
        assert happened(server, "slot.unsuspended") == []
        await trio.sleep(60)
        answer = await server.root.describe(PATH)
        assert answer is not None
        assert answer["count"] == 1


async def test_a_full_mailbox_does_not_matter(clock: MockClock) -> None:
    """
    The question takes no place in the mailbox.
    """
    async with running(named(Counter, mailbox_capacity=1)) as server:
        server.root.suspensions.begin(PATH, 60)
        assert server.root.find(PATH).cast({"type": "add"})
        assert not server.root.find(PATH).cast({"type": "add"})
        assert await server.root.describe(PATH) is not None


async def test_an_idle_one_answers_at_once(clock: MockClock) -> None:
    """
    One that rests, with idle() or without, answers at once, and its silence goes on.
    """
    told: list[float] = []

    class Idler(Counter):
        idle_seconds = 10

        async def idle(self):
            told.append(trio.current_time())

    async with running(named(Idler)) as server:
        await trio.sleep(1)
        began = trio.current_time()
        assert await server.root.describe(PATH) is not None
        assert trio.current_time() == began


@pytest.mark.parametrize("is_async", [False, True])
async def test_harmless(clock: MockClock, is_async: bool) -> None:
    """
    HARMLESS: what describe() raises is the asker's; the actor lives, and nothing is charged.
    """

    class Wrong(Counter):
        def describe(self):
            raise LookupError("no such key")

    class AsyncWrong(Counter):
        async def describe(self):
            raise LookupError("no such key")

    async with running(named(AsyncWrong if is_async else Wrong)) as server:
        before = server.root.events.counts()
        with pytest.raises(DescribeFailed, match="could not describe itself: LookupError") as told:
            await server.root.describe(PATH)
        assert isinstance(told.value.__cause__, LookupError)
        await server.root.find(PATH).call({"type": "add"})
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert (node.epoch, node.restarts_left, node.crashes) == (1, 3, ())
        assert server.root.events.counts() == before


@pytest.mark.parametrize("wrong", ["a text", None, [("count", 1)]])
async def test_no_mapping(clock: MockClock, wrong: object) -> None:
    """
    What is no mapping is refused, by its type: it may be secret.
    """

    class Wrong(Counter):
        def describe(self):
            return wrong

    async with running(named(Wrong)) as server:
        kind = type(wrong).__name__
        with pytest.raises(DescribeFailed, match=rf"must return a mapping .* Got: {kind}$"):
            await server.root.describe(PATH)


async def test_one_that_hangs(clock: MockClock) -> None:
    """
    A describe() that does not end is cut off with its asker's time; the actor goes on.
    """

    class Hangs(Counter):
        async def describe(self):
            await trio.sleep_forever()

    async with running(named(Hangs)) as server:
        began = trio.current_time()
        with pytest.raises(CallTimeout, match="did not reply within 2 s"):
            await server.root.describe(PATH, timeout=2)
        assert trio.current_time() - began == pytest.approx(2)
        await server.root.find(PATH).call({"type": "add"})
        assert happened(server, "slot.crashed") == []


async def test_a_busy_one(clock: MockClock) -> None:
    """
    Who asks in vain has his time, and is forgotten: nobody answers him later.
    """
    asked: list[int] = []

    class Notes(Counter):
        async def describe(self):
            asked.append(self.count)
            return {}

    async with running(named(Notes)) as server:
        ref = server.root.find(PATH)
        ref.cast({"type": "add", "seconds": 10})
        await trio.sleep(1)
        with pytest.raises(CallTimeout):
            await server.root.describe(PATH, timeout=5)
        with trio.move_on_after(1):
            await server.root.describe(PATH)
        await trio.sleep(10)
        assert asked == []
        assert await server.root.describe(PATH) == {}
        assert asked == [1]


async def test_no_loss(clock: MockClock) -> None:
    """
    NO LOSS: the crash of the message before does not matter: the next incarnation answers.
    """
    async with running(named(Counter)) as server:
        server.root.find(PATH).cast({"type": "crash later"})
        await trio.sleep(1)
        answer = await server.root.describe(PATH)
        assert answer is not None
        assert answer["count"] == 0
        node = server.root.snapshot().find(PATH)
        assert node is not None
        assert node.epoch == 2


async def test_a_stop_meanwhile(clock: MockClock) -> None:
    """
    Who asks an actor that ends is told so, also where describe() has begun.
    """

    class Slow(Counter):
        shutdown_seconds = 1

        async def describe(self):
            await trio.sleep(30)
            return {}

    async with running(named(Slow)) as server, trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ActorStopped, match="enough"):
                await server.root.describe(PATH, timeout=100)

        for _ in range(2):
            nursery.start_soon(ask)
        await trio.sleep(1)
        server.root.find(PATH).stop("enough")


async def test_many_ask_together(clock: MockClock) -> None:
    """
    Each of many askers gets an answer.
    """
    async with running(named(AsyncCounter)) as server:
        answers: list[Mapping[str, object] | None] = []

        async def ask() -> None:
            answers.append(await server.root.describe(PATH))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
        assert answers == [{"count": 0, "busy": False, "secret": "***"}] * 20


async def test_refused(clock: MockClock) -> None:
    """
    Where no incarnation lives nobody is asked: parked, backing off, ended, a supervisor.
    """
    options = Options(backoff_min_seconds=1000, backoff_max_seconds=1000)
    s = SupervisorSpec(name="s")
    for most, was in ((0, "parked"), (3, "backing off")):
        async with running(named(Counter, max_restarts=most), s, options=options) as server:
            for _ in range(1 if most == 0 else 2):
                server.root.find(PATH).cast({"type": "crash"})
                await trio.sleep(1)
            with pytest.raises(InvalidState, match=f"is {was}: nobody lives there"):
                await server.root.describe(PATH)
            await server.root.residents.stop_child("counter")
            with pytest.raises(ActorNotFound):
                await server.root.describe(PATH)
            with pytest.raises(TypeError, match="is a supervisor, .* root.snapshot"):
                await server.root.describe("/residents/s")


async def test_not_by_itself(clock: MockClock) -> None:
    """
    A handler that asked its own actor would wait for itself: it is refused; a task may.
    """
    told: list[object] = []

    class Asks(Counter):
        async def started(self):
            self.start_soon(self.ask)

        async def ask(self):
            told.append(await current_root().describe(self.path))

        @handles("ask")
        async def on_ask(self, message):
            with pytest.raises(SelfCall):
                await current_root().describe(self.path)
            return "refused"

    async with running(named(Asks)) as server:
        assert await server.root.find(PATH).call({"type": "ask"}) == "refused"
        await settle(lambda: told)


async def test_suspended_while_it_starts(clock: MockClock) -> None:
    """
    A suspension, or a question, that comes during a start holds from its end on.
    """

    class Slow(WebsocketConsumer):
        async def connect(self, message):
            await self.accept()
            await trio.sleep(2)

        async def receive(self, text):
            await self.send(text=text)

        def describe(self):
            return {"epoch": self.epoch}

    path = "/connections/slow/1"
    async with running(slow=Slow) as server:
        opened = watch(server, "slot.started")
        async with server.websocket("/slow") as socket:
            began = trio.current_time()
            server.root.suspensions.begin(path, 50)
            socket.send_text("a")
            assert await server.root.describe(path) == {"epoch": 1}
            await opened.until()
            assert await socket.receive(timeout=100) == "a"
            assert trio.current_time() - began == pytest.approx(50)


def test_the_answer_is_cut() -> None:
    """
    What is shown is data for JSON, of bounded size and depth, whatever is in it.
    """
    deep: dict[str, object] = {}
    deep["self"] = deep
    large = {
        "text": "x" * 10_000,
        "line": "a\nb",
        "raw": b"x" * 10_000,
        "list": list(range(10_000)),
        "number": 1 << 100_000,
        "not a number": float("nan"),
        "deep": deep,
        "object": threading.Event,
        3: {"a": {1}},
        "all": [[list(range(1000))] * 1000] * 1000,
    }
    made = shown(large)
    assert isinstance(made, dict)
    assert len(json.dumps(made)) < 250 * MOST_VALUES
    assert (made["text"], made["line"]) == ("x" * 200 + "...", "a\\nb")
    assert (made["raw"], made["number"]) == ("10000 bytes", "a number of 100001 bits")
    assert made["list"][MOST_IN_ONE:] == ["... 10000 in all"]
    assert made["not a number"] == "nan"
    assert json.dumps(made["deep"]).count("self") == 4
    assert made["3"] == {"a": [1]}
    many = shown({str(n): n for n in range(1000)})
    assert isinstance(many, dict)
    assert many["..."] == "1000 in all"
