# Spans of a long-poll session: one for each of its requests, and below which its handlers stand.

from typing import Any

from helpers import requested, settle
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from poll_chat import posted
from recorded_spans import Spans, is_below, is_linked, said

from greenroom.actors import LongPollConsumer, handles

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def sampled(trace_id: str = TRACE, flags: str = "01") -> list[tuple[str, str]]:
    """Return the headers of a client that has a trace."""
    return [("traceparent", f"00-{trace_id}-{SPAN}-{flags}")]


class Poll(LongPollConsumer):
    groups = ["room"]

    async def receive(self, text):
        if text == "boom":
            raise ValueError("boom")
        if text == "all":
            await self.group_send("room", {"type": "said"})
        await self.send(text=trace.get_current_span().name)

    @handles("said")
    async def on_said(self, message):
        pass


def servers(spans: Spans) -> list[Any]:
    """Return the spans of requests, in the order in which they ended."""
    return [span for span in spans if span.kind is SpanKind.SERVER]


async def test_each_request(spans: Spans) -> None:
    """
    Each request of a session has a span with the session's route and path, and with its status.
    """
    async with requested(poll=Poll) as server:
        async with server.long_poll("/poll", polling=False) as client:
            assert (await client.request("POST", posted((1, "hello")))).status == 200
            assert (await client.poll()).json["messages"][0]["text"] == "process Poll text frame"
            assert (await client.request("POST", posted((7, "hello")))).status == 409
            assert (await client.request("GET", token="?")).status == 410
            assert (await client.request("DELETE")).status == 204
    found = servers(spans)[:6]

    assert [(span.name, said(span)["http.response.status_code"]) for span in found] == [
        ("POST poll", 201), ("POST poll", 200), ("GET poll", 200), ("POST poll", 409),
        ("GET", 410), ("DELETE poll", 204),
    ]  # fmt: skip
    assert {said(span).get("greenroom.path") for span in found} == {None, "/connections/poll/1"}
    assert said(found[1])["http.route"] == "poll"
    assert said(found[1])["greenroom.actor"] == "Poll"
    assert {span.status.status_code for span in found} == {StatusCode.UNSET}
    assert len({span.context.trace_id for span in found}) == 6


async def test_a_message(spans: Spans) -> None:
    """
    The handler of a message is below the request that brings it, with a link to the first one.
    """
    async with requested(poll=Poll) as server:
        async with server.long_poll("/poll", polling=False) as client:
            await client.request("POST", posted((1, "one"), (2, "all")), headers=sampled())
            await client.request("POST", posted((3, "three")))
            await settle(lambda: len(spans.named("process Poll text frame")) == 3)
            await settle(lambda: spans.named("process Poll said"))
    first, second, third = spans.named("POST poll")
    handled = spans.named("process Poll text frame")

    assert [is_below(each, second) for each in handled] == [True, True, False]
    assert is_below(handled[2], third)
    assert all(is_linked(each, first) for each in handled)
    assert f"{second.parent.span_id:016x}" == SPAN
    assert f"{spans.one('process Poll said').context.trace_id:032x}" == TRACE
    assert is_below(spans.one("start Poll"), first)


async def test_what_the_client_does_not_sample(spans: Spans) -> None:
    """
    Where a request of the client is not recorded, the handler of what it brings is not, either.
    """
    async with requested(poll=Poll) as server:
        async with server.long_poll("/poll", polling=False) as client:
            unseen = sampled(flags="00")
            await client.request("POST", posted((1, "one")), headers=unseen)
            await client.request("POST", posted((2, "two")))
            await settle(lambda: spans.named("process Poll text frame"))

    assert len(spans.named("process Poll text frame")) == 1
    assert len(spans.named("POST poll")) == 2


async def test_a_crash(spans: Spans) -> None:
    """
    A crash is on the span of the message's handler, and the start that follows is linked to that.
    """
    async with requested(poll=Poll) as server:
        async with server.long_poll("/poll", polling=False) as client:
            await client.request("POST", posted((1, "boom")))
            await client.wait_restarted()
            await client.request("POST", posted((2, "after")))
            await settle(lambda: len(spans.named("process Poll text frame")) == 2)
    crashed, after = spans.named("process Poll text frame")
    again = spans.named("start Poll")[1]

    assert crashed.status.status_code is StatusCode.ERROR
    assert is_linked(again, crashed)
    assert said(after)["greenroom.epoch"] == 2
    assert is_below(after, spans.named("POST poll")[2])


async def test_where_others_make_the_spans_of_requests(spans: Spans) -> None:
    """
    Where OpenTelemetry's instrumentation of Django has those of views, each request has one.

    That one sees no request for a consumer, the further ones of a session as little as the first.
    """
    async with requested(poll=Poll) as server:
        server.root.kinds.leaves_requests = True
        async with server.long_poll("/poll", polling=False) as client:
            await client.request("POST", posted((1, "one")), headers=sampled())
            await client.poll()
        await settle(lambda: len(servers(spans)) >= 4)
    post = spans.named("POST poll")[1]

    assert [span.name for span in servers(spans)][:3] == ["POST poll", "POST poll", "GET poll"]
    assert f"{post.parent.span_id:016x}" == SPAN
    assert is_below(spans.one("process Poll text frame"), post)


async def test_no_room(spans: Spans) -> None:
    """
    A session that is refused because there are too many has the status of that.
    """

    class Few(Poll):
        max_sessions = 1

    async with requested(poll=Few) as server:
        async with server.long_poll("/poll", polling=False) as client:
            answer = await client.request("POST", token="")

    found = [span for span in servers(spans) if said(span)["http.response.status_code"] > 201]
    assert said(found[0])["http.response.status_code"] == answer.status
