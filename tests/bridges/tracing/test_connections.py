# The span of a connection: a WebSocket's from its handshake to its close, a request's to the end of
# its answer.

from typing import Any

import pytest
import trio
from helpers import requested, running, settle
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from recorded_spans import Spans, is_below, said

from greenroom.actors import EventStreamConsumer, HttpConsumer, WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import HandshakeRefused, serve
from greenroom.supervisor import Options

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = [("traceparent", f"00-{TRACE}-{SPAN}-01")]
NOT_SAMPLED = [("traceparent", f"00-{TRACE}-{SPAN}-00")]


class Echo(WebsocketConsumer):
    """Answers with the trace that it is part of."""

    async def receive(self, text):
        context = trace.get_current_span().get_span_context()
        await self.send(text=f"{context.trace_id:032x}")


class Page(HttpConsumer):
    def handle(self, body: bytes) -> None:
        self.respond(404, text=trace.get_current_span().name)


async def test_a_websocket(spans: Spans) -> None:
    """
    A WebSocket's span is a server's, lasts as long as it is open, and has all frames below it.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo?token=secret") as client:
            client.send_text("hello")
            await client.receive_text()
            assert spans.named("GET echo") == []
        await server.wait_closed()
    span = spans.one("GET echo")

    assert span.kind is SpanKind.SERVER
    assert span.parent is None
    assert spans.children(span) == ["start Echo", "process Echo text frame"]
    assert said(spans.one("process Echo text frame"))["messaging.message.body.size"] == 5
    assert said(span) == {
        "http.request.method": "GET",
        "url.path": "/echo",
        "url.scheme": "http",
        "network.protocol.name": "websocket",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": 80,
        "http.route": "echo",
        "http.response.status_code": 101,
        "greenroom.path": "/connections/echo/1",
        "greenroom.actor": "Echo",
        "greenroom.close_code": 1000,
    }


async def test_the_clients_trace_goes_on(spans: Spans) -> None:
    """
    What a client says in `traceparent` is the parent of its connection's span.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo", headers=SAMPLED) as client:
            client.send_text("hello")
            assert await client.receive_text() == TRACE
    span = spans.one("GET echo")

    assert f"{span.parent.span_id:016x}" == SPAN
    assert {f"{each.context.trace_id:032x}" for each in spans} == {TRACE}


async def test_what_the_client_does_not_sample(spans: Spans) -> None:
    """
    Where the client has decided that its trace is not recorded, nothing below it is.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo", headers=NOT_SAMPLED) as client:
            client.send_text("hello")
            assert await client.receive_text() == TRACE

    assert spans.names == []


async def test_a_bad_traceparent(spans: Spans) -> None:
    """
    What is no `traceparent` begins a trace of its own.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo", headers=[("traceparent", "00-xyz")]):
            pass

    assert spans.one("GET echo").parent is None


async def test_a_handshake_that_is_refused(spans: Spans) -> None:
    """
    A refused handshake has the status that the client was told, and no failure below 500.
    """

    class Closed(WebsocketConsumer):
        async def connect(self):
            await self.close()

    class Denied(WebsocketConsumer):
        async def connect(self):
            self.deny(451)

    async with running(closed=Closed, denied=Denied) as server:
        for name in ("closed", "denied"):
            with pytest.raises(HandshakeRefused):
                async with server.websocket(f"/{name}"):
                    pass
        await server.wait_closed()

    found = [spans.one(f"GET {name}") for name in ("closed", "denied")]
    assert [said(span)["http.response.status_code"] for span in found] == [403, 451]
    assert {span.status.status_code for span in found} == {StatusCode.UNSET}


async def test_a_handshake_that_comes_to_nobody(spans: Spans) -> None:
    """
    A handshake without a route, or in a tree that is full, has the status of its refusal.
    """
    async with running(options=Options(max_connections=1), echo=Echo) as server:
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/nowhere"):
                pass
        async with server.websocket("/echo"):
            with pytest.raises(HandshakeRefused):
                async with server.websocket("/echo"):
                    pass
    nowhere, full, open_ = spans.named("GET")[0], spans.named("GET")[1], spans.one("GET echo")

    assert [said(each)["http.response.status_code"] for each in (nowhere, full, open_)] == [
        404, 503, 101,
    ]  # fmt: skip
    assert nowhere.status.status_code is StatusCode.UNSET
    assert full.status.status_code is StatusCode.ERROR


async def http(scope: Any, receive: Any, send: Any) -> None:
    """An application of somebody else's."""
    if scope["path"] == "/crash":
        raise ValueError("boom")
    status = 503 if scope["path"] == "/busy" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    name = getattr(trace.get_current_span(), "name", "")
    await send({"type": "http.response.body", "body": name.encode()})


async def test_a_request(spans: Spans) -> None:
    """
    A request to somebody's application has a span, current in it, with the status of its answer.
    """
    async with running(http=http) as server:
        assert (await server.http("GET", "/x?a=b")).body == b"GET"
        assert (await server.http("GET", "/busy")).status == 503
        assert (await server.http("GET", "/crash")).status == 500
        assert (await server.http("BREW", "/x")).status == 200
    fine, busy, crash, odd = spans

    assert [said(each)["http.response.status_code"] for each in spans] == [200, 503, 500, 200]
    assert said(fine)["url.path"] == "/x"
    assert fine.status.status_code is StatusCode.UNSET
    assert (busy.status.status_code, said(busy)["error.type"]) == (StatusCode.ERROR, "503")
    assert (crash.status.status_code, said(crash)["error.type"]) == (StatusCode.ERROR, "500")
    assert (odd.name, said(odd)["http.request.method"]) == ("_OTHER", "_OTHER")


async def test_a_consumer_of_http(spans: Spans) -> None:
    """
    A consumer's request has a span with its route and status, and its handler is below that.
    """
    async with requested(page=Page) as server:
        assert (await server.http("POST", "/page")).body == b"process Page end of a body"
        await server.wait_closed()
    span = spans.one("POST page")

    assert said(span)["http.response.status_code"] == 404
    assert "process Page end of a body" in spans.children(span)


async def test_an_event_stream(spans: Spans) -> None:
    """
    An event stream's span lasts as long as the stream.
    """

    class News(EventStreamConsumer):
        def connect(self):
            self.accept()
            self.send(data="first")

    async with requested(news=News) as server:
        async with server.event_stream("/news") as stream:
            await stream.next_event()
            assert spans.named("GET news") == []
        await server.wait_closed()

    assert said(spans.one("GET news"))["http.response.status_code"] == 200


async def test_below_somebody_elses_instrumentation(spans: Spans) -> None:
    """
    Where a middleware outside has made the span of a request, there is no second one.
    """
    inner = Application(router=_Everything(Echo))

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await inner(scope, receive, send)
            return
        with spans.tracer().start_as_current_span("theirs", kind=SpanKind.SERVER):
            await inner(scope, receive, send)

    async with serve(outer) as server:
        async with server.websocket("/") as client:
            client.send_text("hello")
            await client.receive_text()

    assert len([span for span in spans if span.kind is SpanKind.SERVER]) == 1
    assert spans.children(spans.one("theirs")) == ["start Echo", "process Echo text frame"]


async def test_below_a_span_of_the_projects_own(spans: Spans) -> None:
    """
    Within a span of the project's own, a connection whose client names no trace is below that.
    """
    inner = Application(router=_Everything(Echo))

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await inner(scope, receive, send)
            return
        with spans.tracer().start_as_current_span("ours"):
            await inner(scope, receive, send)

    async with serve(outer) as server:
        async with server.websocket("/"):
            pass
        async with server.websocket("/", headers=SAMPLED):
            pass

    [first, second] = [span for span in spans if span.kind is SpanKind.SERVER]
    assert is_below(first, spans.named("ours")[0])
    assert f"{second.context.trace_id:032x}" == TRACE


class _Everything:
    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def match(self, scope: Any) -> Any:
        from greenroom.bridges.asgi import Match

        return Match(self._consumer)


async def test_an_application_inside_of_another(spans: Spans) -> None:
    """
    A consumer's application behind a middleware, which copies the scope, has one span.
    """

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await Echo.as_asgi()({**scope}, receive, send)

    async with running(echo=middleware) as server:
        async with server.websocket("/echo") as client:
            client.send_text("hello")
            await client.receive_text()
        await settle(lambda: spans.named("GET Echo") or spans.named("GET echo"))
    [span] = [span for span in spans if span.kind is SpanKind.SERVER]

    assert said(span)["greenroom.actor"] == "Echo"
    assert is_below(spans.one("process Echo text frame"), span)


async def test_two_at_a_time(spans: Spans) -> None:
    """
    Two connections have each its own trace, whatever order their frames come in.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo") as one, server.websocket("/echo") as two:
            answers = []
            for client in (one, two, one, two):
                client.send_text("hello")
                answers.append(await client.receive_text())

    assert answers[:2] == answers[2:]
    assert len(set(answers)) == 2
    await trio.lowlevel.checkpoint()
