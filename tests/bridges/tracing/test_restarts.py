# Incarnations in spans: how they begin and end, what a crash says, and what follows it.

import pytest
import trio
from helpers import running, settle, watch
from opentelemetry.trace import StatusCode
from recorded_spans import Spans, events, is_below, is_linked, said
from trio.testing import MockClock

from greenroom.actors import Actor, Decline, Disconnected, WebsocketConsumer, handles
from greenroom.supervisor import Options


class Worker(Actor):
    """Fails as it is told to."""

    async def started(self):
        pass

    async def stopped(self, reason):
        pass

    @handles("fail")
    async def on_fail(self, message):
        raise ValueError("boom")

    @handles("fail in a thread")
    def on_fail_in_thread(self, message):
        raise ValueError("boom")

    @handles("fail in the background")
    async def on_fail_in_background(self, message):
        self.start_soon(self.fail)

    @handles("work")
    async def on_work(self, message):
        pass

    async def fail(self):
        raise ValueError("boom")


def crash_of(span) -> tuple[object, ...]:
    """Return the status of *span*, and what the event of its exception says."""
    [told] = [event for event in span.events if event.name == "exception"]
    facts = dict(told.attributes)
    return span.status.status_code, facts["exception.type"], facts["exception.message"]


CRASHED = (StatusCode.ERROR, "ValueError", "boom")


@pytest.mark.parametrize("kind", ["fail", "fail in a thread"])
async def test_a_crash_and_the_next_incarnation(spans: Spans, kind: str, clock: MockClock) -> None:
    """
    The handler's span has the error; the next incarnation's is linked to it, in the same trace.
    """
    async with running(Worker) as server:
        restarted = watch(server, "slot.restarted")
        server.root.find("/residents/worker").cast({"type": kind})
        await restarted.until()
        await settle(lambda: len(spans.named("start Worker")) == 2)
        await server.root.find("/residents/worker").call({"type": "work"})
        trace = server.root.snapshot().find("/residents/worker").crashes[0].traceback
    failed = spans.one(f"process Worker {kind}")
    first, second = spans.named("start Worker")

    assert crash_of(failed) == CRASHED
    assert failed.status.description == "ValueError: boom"
    assert (said(first)["greenroom.epoch"], said(second)["greenroom.epoch"]) == (1, 2)
    assert events(first) == [("greenroom.started", 1)]
    assert events(second) == [("greenroom.restarted", 2)]
    assert is_linked(second, failed)
    assert is_below(second, failed)
    assert first.links == ()
    assert "in on_fail" in trace.splitlines()[1]  # no frame of ours stands above it
    assert said(spans.one("process Worker work"))["greenroom.epoch"] == 2
    assert spans.named("crash Worker") == []


async def test_a_crash_of_a_task(spans: Spans, clock: MockClock) -> None:
    """
    A crash outside of any handler has a span of its own, to which the next incarnation is linked.
    """
    async with running(Worker) as server:
        restarted = watch(server, "slot.restarted")
        server.root.find("/residents/worker").cast({"type": "fail in the background"})
        await restarted.until()
        await settle(lambda: len(spans.named("start Worker")) == 2)

    assert crash_of(spans.one("crash Worker")) == CRASHED
    assert is_linked(spans.named("start Worker")[1], spans.one("crash Worker"))


async def test_the_end(spans: Spans) -> None:
    """
    The last handler has a span; where there is none, there is no span.
    """

    class Silent(Actor):
        pass

    async with running(Worker, Silent):
        pass

    assert said(spans.one("stop Worker"))["greenroom.path"] == "/residents/worker"
    assert spans.named("stop Silent") == []
    assert len(spans.named("start Silent")) == 1


async def test_a_start_that_fails(spans: Spans) -> None:
    """
    A hook that raises is an error on the span of the start; one that declines is none.
    """

    class Unwilling(Actor):
        async def started(self):
            raise Decline("not today")

    class Fragile(WebsocketConsumer):
        async def connect(self):
            raise ValueError("boom")

    async with running(Unwilling, fragile=Fragile) as server:
        with pytest.raises(Exception, match="500"):
            async with server.websocket("/fragile"):
                pass

    assert spans.one("start Unwilling").status.status_code is StatusCode.UNSET
    assert said(spans.one("start Unwilling"))["greenroom.outcome"] == "declined"
    assert crash_of(spans.one("start Fragile")) == CRASHED
    assert spans.named("crash Fragile") == []


async def test_what_a_class_resumes(spans: Spans) -> None:
    """
    An error after which an incarnation goes on is one on its handler's span, and starts nothing.
    """

    class Tough(Worker):
        supervise = {ValueError: "resume"}

    async with running(Tough) as server:
        tough = server.root.find("/residents/tough")
        tough.cast({"type": "fail"})
        await tough.call({"type": "work"})

    assert crash_of(spans.one("process Tough fail")) == CRASHED
    assert len(spans.named("start Tough")) == 1


async def test_moments(spans: Spans, clock: MockClock) -> None:
    """
    What runs between two messages has a span, too.
    """

    class Restful(Actor):
        idle_seconds = 5.0

        async def after_start(self):
            pass

        async def idle(self):
            pass

    async with running(Restful):
        await trio.sleep(6)

    assert [each for each in spans.names if each not in ("start Restful", "stop Restful")] == [
        "after_start Restful", "idle Restful",
    ]  # fmt: skip


class Chat(WebsocketConsumer):
    """Crashes, waits, or finds its peer gone."""

    cancel_on_disconnect = True

    async def receive(self, text):
        if text == "wait":
            await self.send(text="waiting")
            await trio.sleep_forever()
        if text == "gone":
            raise Disconnected(self.path, 1000)
        raise ValueError("boom")

    @handles("hi")
    async def on_hi(self, message):
        await self.send(text="hi")


async def test_a_connection_sees_its_restarts(spans: Spans) -> None:
    """
    A connection's span tells of each crash and each incarnation, all of them below it.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as client:
            client.send_text("crash")
            await client.wait_restarted()
            server.root.find(server.sockets()[0].path).cast({"type": "hi"})
            assert await client.receive_text() == "hi"
    connection = spans.one("GET chat")

    assert events(connection) == [
        ("greenroom.started", 1), ("greenroom.crashed", 1), ("greenroom.restarted", 2),
    ]  # fmt: skip
    assert spans.children(connection) == ["start Chat", "process Chat text frame", "start Chat"]
    assert is_linked(spans.named("start Chat")[1], spans.one("process Chat text frame"))
    assert connection.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(("text", "outcome"), [("wait", "cancelled"), ("gone", "disconnected")])
async def test_ends_that_are_no_failure(spans: Spans, text: str, outcome: str) -> None:
    """
    A handler that ends with its peer has not failed, and its span says what has ended it.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as client:
            client.send_text(text)
            if text == "wait":
                await client.receive_text()
        await server.wait_closed()
    span = spans.one("process Chat text frame")

    assert said(span)["greenroom.outcome"] == outcome
    assert span.status.status_code is StatusCode.UNSET
    assert span.events == ()


async def test_a_connection_that_gives_up(spans: Spans) -> None:
    """
    A connection that ends with a crash is a failure, with its close code.
    """
    options = Options(max_restarts=0)
    async with running(options=options, chat=Chat) as server:
        async with server.websocket("/chat") as client:
            client.send_text("crash")
            assert (await client.closed()).code == 1011
    connection = spans.one("GET chat")

    assert connection.status.status_code is StatusCode.ERROR
    assert said(connection)["greenroom.close_code"] == 1011
    assert said(connection)["error.type"] == "crash"
