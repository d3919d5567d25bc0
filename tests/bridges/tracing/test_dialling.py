# The span of a connection that a client of ours makes, and what the server learns of it.

from typing import Any

import trio
from client_bench import Server, Tree, heard
from helpers import settle
from opentelemetry import baggage, context
from opentelemetry.trace import SpanKind, StatusCode
from recorded_spans import Spans, is_below, is_linked, said
from traced_clients import dialling, told

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.client import WebsocketClient
from greenroom.bridges.testing import live_server


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
