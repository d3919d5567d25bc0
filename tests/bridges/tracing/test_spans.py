# What spans say, and that nothing which goes wrong with them is an actor's business.

import logging
import threading
from typing import Any

import pytest
from helpers import running, settle
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler
from recorded_spans import Spans, recorded, said

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.tracing._span import Tracer

SECRET = "do-not-tell"


class Chat(WebsocketConsumer):
    """Sends what it gets through all that can be traced."""

    groups = ["room"]

    async def receive(self, text):
        await self.group_send("room", {"type": "said", "text": text})

    @handles("said")
    def on_said(self, message):
        answer = self.find("/residents/teller").call_blocking(message | {"type": "ask"})
        self.cast("/residents/teller", message)
        self.send(text=answer)


class Teller(Actor):
    @handles("ask")
    async def on_ask(self, message):
        return message["text"]

    @handles("said")
    async def on_said(self, message):
        pass


async def talk() -> str:
    """Have a conversation in a tree of its own; return what the client got."""
    headers = [("cookie", f"session={SECRET}"), ("authorization", SECRET)]
    async with running(Teller, chat=Chat) as server:
        async with server.websocket(f"/chat?token={SECRET}", headers=headers) as client:
            client.send_text(SECRET)
            return await client.receive_text()


async def test_no_content(spans: Spans) -> None:
    """
    No span holds a body, a header, a query, or who the client is.
    """
    assert await talk() == SECRET
    told = [span.to_json() for span in spans]

    assert len(told) >= 8
    assert [text for text in told if SECRET in text] == []
    assert [text for text in told if "client.address" in text or "user" in text] == []


class Broken(SpanExporter):
    """An exporter that raises."""

    def export(self, spans: Any) -> SpanExportResult:
        raise OSError("the collector is away")


class Nasty(SpanProcessor):
    """A processor that raises, which the SDK does not catch."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise OSError("no start")

    def on_end(self, span: Any) -> None:
        raise OSError("no end")


async def test_harmless_exporter(caplog: pytest.LogCaptureFixture) -> None:
    """
    What an exporter raises reaches no handler and no sender.
    """
    with recorded(Broken()):
        assert await talk() == SECRET

    assert "the collector is away" in caplog.text  # the SDK's own log


async def test_harmless_processor(caplog: pytest.LogCaptureFixture) -> None:
    """
    What a processor raises is logged, once for all spans within a minute, and reaches nobody.
    """
    with recorded() as spans:
        spans.provider.add_span_processor(Nasty())
        assert await talk() == SECRET
    logged = [each for each in caplog.records if each.name == "greenroom.tracing"]

    assert [each.levelno for each in logged] == [logging.ERROR]
    assert "OpenTelemetry raised" in caplog.text


async def test_harmless_sampler(caplog: pytest.LogCaptureFixture) -> None:
    """
    A sampler that raises costs spans, and nothing else.
    """

    class Raising(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> Any:
            raise OSError("no idea")

        def get_description(self) -> str:
            return "raising"

    with recorded(sampler=Raising()) as spans:
        assert await talk() == SECRET
    assert spans.names == []


async def test_an_exporter_that_blocks() -> None:
    """
    An exporter that blocks, behind the SDK's batches, holds nobody up.
    """
    let_go, blocked = threading.Event(), threading.Event()

    class Blocking(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            blocked.set()
            let_go.wait(30)
            return SpanExportResult.SUCCESS

    with recorded() as spans:
        batches = BatchSpanProcessor(
            Blocking(), max_queue_size=4, max_export_batch_size=1, schedule_delay_millis=1
        )
        spans.provider.add_span_processor(batches)
        try:
            assert await talk() == SECRET
            await settle(blocked.is_set)
            assert await talk() == SECRET
        finally:
            let_go.set()
            spans.provider.shutdown()


def test_what_is_unsaid_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """
    A later line of the log says how many spans were lost since the one before.
    """
    tracer = Tracer()
    for after in (0, 0, 0, 61):
        tracer._lost._quiet_until -= after
        try:
            raise OSError("away")
        except OSError:
            tracer.failed()

    assert [each.getMessage() for each in caplog.records] == [
        "a span was lost, since OpenTelemetry raised",
        "a span was lost, since OpenTelemetry raised; 2 more since the last time",
    ]


async def test_baggage_goes_along(spans: Spans) -> None:
    """
    What OpenTelemetry's baggage holds where a message is sent, it holds in the handler.
    """
    from opentelemetry import baggage, context

    class Reader(Actor):
        @handles("read")
        async def on_read(self, message):
            return baggage.get_baggage("tenant")

    async with running(Reader) as server:
        token = context.attach(baggage.set_baggage("tenant", "acme"))
        try:
            assert await server.root.find("/residents/reader").call({"type": "read"}) == "acme"
        finally:
            context.detach(token)


async def test_nothing_is_left_current(spans: Spans) -> None:
    """
    Behind a handler the context is what it was, so the next message is not below it.
    """

    class Idle(Actor):
        @handles("one")
        async def on_one(self, message):
            pass

        async def after_start(self):
            pass

    async with running(Idle) as server:
        for _ in range(2):
            server.root.find("/residents/idle").cast({"type": "one"})
        await settle(lambda: len(spans.named("process Idle one")) == 2)
    one, two = spans.named("process Idle one")

    assert one.context.trace_id != two.context.trace_id
    assert said(one) == said(two)
    assert trace.get_current_span() is trace.INVALID_SPAN
