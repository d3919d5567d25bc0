# The span of a connection that a client of ours makes, and what the server learns of it.

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from client_bench import Server, Tree, heard, serve_raw
from helpers import settle
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import SpanKind, StatusCode
from recorded_spans import Spans, events, is_below, is_linked, said

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.client import WebsocketClient
from greenroom.bridges.testing import live_server
from greenroom.supervisor import Options

PAUSE = Options(backoff_min_seconds=3600, backoff_max_seconds=3600)  # one attempt, and no second


@pytest.fixture
async def server(nursery: trio.Nursery) -> Server:
    """A server that listens."""
    server = Server()
    await server.start(nursery)
    return server


def dialling(url: str, headers: Mapping[str, str] | None = None) -> type[WebsocketClient]:
    """Return the class of a client of *url*, which tells what it hears."""

    class Feed(WebsocketClient):
        def __init__(self) -> None:
            self.url, self.headers = url, headers or {}

        async def receive(self, text: str) -> None:
            await self.send(text=trace.get_current_span().name)

    return Feed


async def told(nursery: trio.Nursery, server: Server, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that *server* gets from a client which adds *headers*."""
    await Tree.start(nursery, dialling(server.url, headers))
    await server.accepted()
    return {name.decode().lower(): value.decode() for name, value in server.requests[0].headers}


async def test_the_server_is_told(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    The handshake names the attempt's span, a client's, below the start of the incarnation.
    """
    got = await told(nursery, server, {})
    await settle(lambda: spans.named("GET"))
    span, start = spans.one("GET"), spans.one("start Feed")

    named = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"
    assert got["traceparent"].startswith(named)
    assert span.kind is SpanKind.CLIENT
    assert is_below(span, start)
    assert span.status.status_code is StatusCode.UNSET
    assert said(span) == {
        "greenroom.path": "/residents/client",
        "greenroom.actor": "dialling.<locals>.Feed",
        "greenroom.epoch": 1,
        "http.request.method": "GET",
        "url.full": server.url,
        "network.protocol.name": "websocket",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "http.response.status_code": 101,
    }


async def test_dialled_by_a_thread(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    Where `started` is a `def`, in whose thread it is dialled, the attempt is below it as well.
    """

    class Threaded(WebsocketClient):
        url = server.url

        def started(self) -> None:
            with spans.tracer().start_as_current_span("own"):
                pass

    await Tree.start(nursery, Threaded)
    await server.accepted()
    await settle(lambda: spans.named("GET"))

    assert spans.children(spans.one("start Threaded")) == ["own", "GET"]


async def test_no_query_and_no_user(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    What a URL holds in its query, and before its host, is in no span.
    """
    url = server.url.replace("ws://", "ws://me:secret@") + "?token=secret"
    await Tree.start(nursery, dialling(url))
    await server.accepted()
    await settle(lambda: spans.named("GET"))

    assert [span.to_json() for span in spans if "secret" in span.to_json()] == []
    assert said(spans.one("GET"))["url.full"] == server.url


async def test_headers_of_the_users_own(
    nursery: trio.Nursery, server: Server, spans: Spans
) -> None:
    """
    A `traceparent` that the class gives is sent as it is, and no part of another trace with it.
    """
    own = {"TraceParent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        got = await told(nursery, server, own)
    finally:
        context.detach(token)

    assert got["traceparent"] == own["TraceParent"]
    assert "tracestate" not in got
    assert got["baggage"] == "tenant=acme"
    assert [name.lower() for name, _ in server.requests[0].headers].count(b"traceparent") == 1


async def test_baggage_of_the_users_own(
    nursery: trio.Nursery, server: Server, spans: Spans
) -> None:
    """
    A `baggage` that the class gives takes the place of ours, and leaves the trace alone.
    """
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        got = await told(nursery, server, {"baggage": "tenant=own"})
    finally:
        context.detach(token)

    assert got["baggage"] == "tenant=own"
    assert "traceparent" in got


async def test_what_comes_over_it(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    A message that comes is handled in a trace of its own, with a link to the attempt's span.
    """
    await Tree.start(nursery, dialling(server.url))
    connection = await server.accepted()
    for _ in range(2):
        await connection.send_message("hello")
        assert await heard(connection) == "process Feed Received"
    await settle(lambda: len(spans.named("process Feed Received")) == 2)
    span, [one, two] = spans.one("GET"), spans.named("process Feed Received")

    assert one.parent is two.parent is None
    assert is_linked(one, span)
    assert is_linked(two, span)


async def test_a_refusal(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    An attempt that the server refuses has its status, and has failed; so has what says it is lost.
    """
    server.refuse_with = 403
    await Tree.start(nursery, dialling(server.url), PAUSE)
    await settle(lambda: spans.named("process Feed Lost"))
    span, lost = spans.one("GET"), spans.one("process Feed Lost")

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["http.response.status_code"] == 403
    assert said(span)["error.type"] == "403"
    assert is_linked(lost, span)
    assert events(lost) == [("exception", None)]


async def test_what_a_refusal_says(nursery: trio.Nursery, spans: Spans) -> None:
    """
    Headers and body of a refusal are in no span, neither the attempt's nor that of the crash.
    """

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        head = b"HTTP/1.1 403 No\r\nSet-Cookie: secret\r\nContent-Length: 6\r\n\r\n"
        await stream.send_all(head + b"secret")

    await Tree.start(nursery, dialling(await serve_raw(nursery, refuse)), PAUSE)
    await settle(lambda: spans.named("process Feed Lost"))

    assert said(spans.one("GET"))["http.response.status_code"] == 403
    assert [span.to_json() for span in spans if "secret" in span.to_json()] == []


async def test_nobody_there(nursery: trio.Nursery, spans: Spans) -> None:
    """
    An attempt that gets no answer has failed, with what the system said.
    """
    sockets = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = sockets[0].socket.getsockname()[1]
    await sockets[0].aclose()
    await Tree.start(nursery, dialling(f"ws://127.0.0.1:{port}/"), PAUSE)
    await settle(lambda: spans.named("GET"))
    span = spans.one("GET")

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == "OSError"
    assert "http.response.status_code" not in said(span)


async def test_each_attempt(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    Each attempt has its own span, in the trace of what ended the connection before.
    """
    await Tree.start(nursery, dialling(server.url))
    await (await server.accepted()).aclose(1001)
    await server.accepted()
    await settle(lambda: len(spans.named("GET")) == 2)
    first, second = spans.named("GET")

    assert [said(each)["greenroom.epoch"] for each in (first, second)] == [1, 2]
    assert first.context.trace_id != second.context.trace_id
    assert second.context.trace_id == spans.one("process Feed Lost").context.trace_id
    assert is_linked(spans.one("process Feed Lost"), first)


async def test_given_up(nursery: trio.Nursery, spans: Spans) -> None:
    """
    An attempt that a stop cuts off has not failed.
    """
    dialled = trio.Event()

    async def silent(stream: trio.SocketStream) -> None:
        dialled.set()
        await stream.receive_some()
        await trio.sleep_forever()

    url = await serve_raw(nursery, silent)
    tree = await Tree.start(nursery, dialling(url))
    await dialled.wait()
    tree.root.find("/residents/client").stop()
    await settle(lambda: spans.named("GET"))
    span = spans.one("GET")

    assert said(span)["greenroom.outcome"] == "cancelled"
    assert span.status.status_code is StatusCode.UNSET


class Bad(TextMapPropagator):
    """A propagator that says what is no header, or too much, or raises."""

    def __init__(self, value: str) -> None:
        self.value = value

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        if not self.value:
            raise OSError("no idea")
        carrier["x-trace"] = self.value

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        return context

    @property
    def fields(self) -> set[str]:
        return {"x-trace"}


@pytest.mark.parametrize("value", ["", "1\r\nx-other: 2", "9" * 9000])
async def test_harmless_propagator(
    nursery: trio.Nursery,
    server: Server,
    spans: Spans,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    value: str,
) -> None:
    """
    A propagator that raises, or says what can't be sent, costs the headers and not the connection.
    """
    monkeypatch.setattr(propagate, "propagator", Bad(value))
    got = await told(nursery, server, {"x-own": "1"})

    assert "x-other" not in caplog.text  # nor is in the log what it said
    assert got["x-own"] == "1"
    assert "x-trace" not in got
    assert "x-other" not in got


async def test_off(nursery: trio.Nursery, server: Server) -> None:
    """
    A tree that is not traced adds no header.
    """
    assert "traceparent" not in await told(nursery, server, {})


class Echo(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


class Everything:
    def match(self, scope: Any) -> Match:
        return Match(Echo, name="echo")


async def test_to_a_server_of_ours(nursery: trio.Nursery, spans: Spans) -> None:
    """
    What a server of ours does for a client of ours is one trace with the client's attempt.
    """
    with live_server(Application(router=Everything())) as server:
        await Tree.start(nursery, dialling(f"{server.ws_url}/echo"))
        await settle(lambda: spans.named("GET"))
    span, served = spans.one("GET"), spans.one("GET echo")

    assert is_below(served, span)
    assert served.context.trace_id == spans.one("start Feed").context.trace_id
