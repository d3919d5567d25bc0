# The span of a message that is handled stands below the one in which it was sent, whatever way it
# takes.

import pytest
import trio
from helpers import running, settle
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from recorded_spans import Spans, is_below, is_linked, said
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, concurrent, handles


class Worker(Actor):
    """Takes messages in all ways."""

    @handles("job")
    async def on_job(self, message):
        self.last = message["n"]

    @handles("thread job")
    def on_thread_job(self, message):
        here = trace.get_current_span()
        here.set_attribute("seen", here.name)

    @handles("ask")
    async def on_ask(self, message):
        return message["n"] + 1

    @handles("beside")
    @concurrent(2)
    async def on_beside(self, message):
        await trio.lowlevel.checkpoint()


class Boss(Actor):
    """Sends them."""

    @handles("cast")
    async def on_cast(self, message):
        self.cast("/residents/worker", {"type": message["what"], "n": 1})

    @handles("send")
    async def on_send(self, message):
        await self.find("/residents/worker").send({"type": "job", "n": 1})

    @handles("call")
    async def on_call(self, message):
        return await self.find("/residents/worker").call({"type": "ask", "n": 1})

    @handles("in a thread")
    def on_thread(self, message):
        worker = self.find("/residents/worker")
        worker.send_blocking({"type": "job", "n": 1})
        return worker.call_blocking({"type": "ask", "n": 1})

    @handles("later")
    async def on_later(self, message):
        self.send_after(60, {"type": "due"})

    @handles("due")
    async def on_due(self, message):
        self.cast("/residents/worker", {"type": "job", "n": 1})

    @handles("in the background")
    async def on_background(self, message):
        self.start_soon(self.work)

    async def work(self):
        self.cast("/residents/worker", {"type": "job", "n": 1})


async def to_boss(server, kind: str, **fields) -> None:
    """Have the boss do something, and wait until it is done."""
    server.root.find("/residents/boss").cast({"type": kind, **fields})
    await server.root.find("/residents/worker").call({"type": "ask", "n": 0})


@pytest.mark.parametrize("kind", ["cast", "send"])
async def test_a_message_from_one_actor_to_another(spans: Spans, kind: str) -> None:
    """
    The handler is below the sending, which is below the sender's handler; all are one trace.
    """
    async with running(Boss, Worker) as server:
        await to_boss(server, kind, what="job")
        await settle(lambda: spans.named("process Worker job"))
    asked = spans.one(f"process Boss {kind}")
    sent, handled = spans.one("send Worker"), spans.one("process Worker job")

    assert is_below(handled, sent)
    assert is_below(sent, asked)
    assert (sent.kind, handled.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert said(sent) == {
        "greenroom.message": "job",
        "messaging.system": "greenroom",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "/residents/worker",
    }
    assert said(handled) == {
        "greenroom.path": "/residents/worker",
        "greenroom.actor": "Worker",
        "greenroom.epoch": 1,
        "greenroom.message": "job",
        "messaging.system": "greenroom",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "/residents/worker",
    }


async def test_a_call(spans: Spans) -> None:
    """
    A call lasts until its reply, and the handler that answers is below it.
    """
    async with running(Boss, Worker) as server:
        assert await server.root.find("/residents/boss").call({"type": "call"}) == 2
    asked, handled = spans.one("process Boss call"), spans.one("process Worker ask")
    called = spans.one("call Worker ask")

    assert is_below(handled, called)
    assert is_below(called, asked)
    assert {handled.kind, called.kind} == {SpanKind.INTERNAL}
    assert (called.end_time or 0) >= (handled.end_time or 0)
    assert said(called) == {"greenroom.message": "ask", "greenroom.target": "/residents/worker"}


async def test_from_a_thread(spans: Spans) -> None:
    """
    What a `def` handler sends and calls in its thread is below that handler's span.
    """
    async with running(Boss, Worker) as server:
        assert await server.root.find("/residents/boss").call({"type": "in a thread"}) == 2
    asked = spans.one("process Boss in a thread")

    assert spans.children(asked) == ["send Worker", "call Worker ask"]
    assert is_below(spans.one("process Worker job"), spans.one("send Worker"))
    assert is_below(spans.one("process Worker ask"), spans.one("call Worker ask"))


async def test_to_a_thread(spans: Spans) -> None:
    """
    In the thread of a `def` handler its span is the current one, also in a run of several.
    """
    async with running(Boss, Worker) as server:
        worker = server.root.find("/residents/worker")
        for _ in range(3):
            worker.cast({"type": "thread job"})
        await worker.call({"type": "ask", "n": 0})
    handled = spans.named("process Worker thread job")

    assert [said(span)["seen"] for span in handled] == ["process Worker thread job"] * 3
    senders = {span.context.span_id for span in spans.named("send Worker")}
    assert {span.parent.span_id for span in handled} == senders
    assert len(senders) == 3


async def test_beside_each_other(spans: Spans) -> None:
    """
    Handlers that run beside each other have each its own span, below its own sender's.
    """
    async with running(Boss, Worker) as server:
        worker = server.root.find("/residents/worker")
        for _ in range(2):
            worker.cast({"type": "beside"})
        await worker.call({"type": "ask", "n": 0})
        await settle(lambda: len(spans.named("process Worker beside")) == 2)
    sent = spans.named("send Worker")

    assert sorted(span.parent.span_id for span in spans.named("process Worker beside")) == sorted(
        span.context.span_id for span in sent
    )


async def test_a_timer(spans: Spans, clock: MockClock) -> None:
    """
    A timer's handler begins a trace of its own, which is linked to where the timer was set.
    """
    async with running(Boss, Worker) as server:
        server.root.find("/residents/boss").cast({"type": "later"})
        await trio.sleep(61)
        await settle(lambda: spans.named("process Worker job"))
    set_in, due = spans.one("process Boss later"), spans.one("process Boss due")

    assert due.parent is None
    assert is_linked(due, set_in)
    assert due.kind is SpanKind.INTERNAL
    sent = next(span for span in spans.named("send Worker") if is_below(span, due))
    assert is_below(spans.one("process Worker job"), sent)


async def test_a_background_task(spans: Spans) -> None:
    """
    A background task goes on behind its handler, so what it sends is not below that one's span.
    """
    async with running(Boss, Worker) as server:
        server.root.find("/residents/boss").cast({"type": "in the background"})
        await settle(lambda: spans.named("process Worker job"))

    assert spans.children(spans.one("process Boss in the background")) == []
    sent = spans.one("send Worker")
    assert sent.parent is None


async def test_below_a_span_of_the_user(spans: Spans) -> None:
    """
    A message sent in a span of the user's own is below that, and so are his spans in a handler.
    """

    class Own(Actor):
        @handles("go")
        async def on_go(self, message):
            with spans.tracer().start_as_current_span("inside"):
                pass

    async with running(Own) as server:
        with spans.tracer().start_as_current_span("outside"):
            await server.root.find("/residents/own").send({"type": "go"})
        await settle(lambda: spans.named("inside"))

    assert spans.children(spans.one("outside")) == ["send Own"]
    assert spans.children(spans.one("send Own")) == ["process Own go"]
    assert spans.children(spans.one("process Own go")) == ["inside"]
    assert not trace.get_current_span().get_span_context().is_valid


async def test_an_operator_looks_as_well(spans: Spans) -> None:
    """
    An operator's trace tells of what is handled, and the spans are made all the same.
    """
    async with running(Boss, Worker) as server:
        server.root.traces.begin("/residents/worker")
        worker = server.root.find("/residents/worker")
        await worker.call({"type": "ask", "n": 1})
        server.root.traces.end("/residents/worker")
        await worker.call({"type": "ask", "n": 1})
        told = server.root.events.recent(10, "actor.handled")

    assert len(told) == 1
    assert len(spans.named("process Worker ask")) == 2


async def test_what_is_not_taken(spans: Spans) -> None:
    """
    A message that its target did not take is said to be so on the span of the sending.
    """
    async with running(Worker) as server:
        ref = server.root.find("/residents/worker")
    assert not ref.cast({"type": "job"})

    assert said(spans.one("send Worker"))["greenroom.taken"] is False


class Chat(WebsocketConsumer):
    """A member of a group."""

    groups = ["room"]

    async def receive(self, text):
        if text == "frame":
            await self.group_send("room", text="hello")
        else:
            await self.group_send("room", {"type": "said", "text": text})

    @handles("said")
    async def on_said(self, message):
        await self.send(text=message["text"])


async def test_a_group(spans: Spans) -> None:
    """
    A message to a group has one span, and each member's handler is below that.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as one, server.websocket("/chat") as two:
            one.send_text("hello")
            assert [await each.receive_text() for each in (one, two)] == ["hello"] * 2
    sent = spans.one("send to group")

    assert spans.children(sent) == ["process Chat said"] * 2
    assert is_below(sent, spans.one("process Chat text frame"))
    assert said(sent)["messaging.destination.name"] == "room"
    assert said(sent)["greenroom.reached"] == 2
    assert sent.kind is SpanKind.PRODUCER
    assert spans.named("send Chat") == []


async def test_a_frame_to_a_group(spans: Spans) -> None:
    """
    A frame to a group has one span; no handler runs for it.
    """
    async with running(chat=Chat) as server:
        async with server.websocket("/chat") as one:
            one.send_text("frame")
            assert await one.receive_text() == "hello"

    assert spans.children(spans.one("send to group")) == []
    assert said(spans.one("send to group"))["greenroom.message"] == "frame"
