# Spans behind the real hypercorn worker, made by clients that nobody here wrote.

import http.client
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from recorded_spans import Spans, said
from websockets.sync.client import connect

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.asgi._direct import DirectConnection
from greenroom.bridges.testing import live_server
from greenroom.supervisor import Options

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Echo(WebsocketConsumer):
    def receive(self, text):
        self.send(text=text)


class Routes:
    def match(self, scope: Any) -> Match | None:
        return Match(Echo, name="echo") if scope["path"] == "/echo" else None


async def page(scope: Any, receive: Any, send: Any) -> None:
    status = 200 if scope["path"] == "/" else 404
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("fast", [True, False])
def test_over_real_sockets(spans: Spans, fast: bool) -> None:
    """
    With our connection handler and without it a WebSocket and its frames are one trace.
    """
    options = Options(fast_connections=fast)
    with live_server(Application(http=page, router=Routes(), options=options)) as server:
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        with connect(f"{server.ws_url}/echo", additional_headers=headers) as client:
            for _ in range(3):
                client.send("hello")
                assert client.recv() == "hello"
    span = spans.one("GET echo")

    assert spans.children(span) == ["start Echo", *["process Echo text frame"] * 3]
    assert {f"{each.context.trace_id:032x}" for each in spans} == {TRACE}
    assert said(span)["http.response.status_code"] == 101
    assert said(span)["greenroom.close_code"] == 1000


def test_requests_on_one_connection(spans: Spans) -> None:
    """
    Requests that share a connection, and a task, have each a trace of their own.
    """
    with live_server(Application(http=page, router=Routes())) as server:
        client = http.client.HTTPConnection(server.url.removeprefix("http://"))
        for path in ("/", "/nowhere", "/"):
            client.request("GET", path)
            client.getresponse().read()
        client.close()
    found = [span for span in spans if span.kind is SpanKind.SERVER]

    assert [said(span)["http.response.status_code"] for span in found] == [200, 404, 200]
    assert [span.parent for span in found] == [None] * 3
    assert len({span.context.trace_id for span in found}) == 3


def test_the_direct_way_stays_direct(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A socket that is written to directly is so in a traced tree, too.
    """
    made: list[object] = []
    run = DirectConnection.run
    monkeypatch.setattr(DirectConnection, "run", lambda self: made.append(self) or run(self))
    with live_server(Application(router=Routes())) as server:
        with connect(f"{server.ws_url}/echo") as client:
            client.send("hello")
            assert client.recv() == "hello"

    assert len(made) == 1
