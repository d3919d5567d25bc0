# The spans of attempts to connect that come to nothing, and what is said of why.

import logging
import traceback

import pytest
import trio
from client_bench import Server, Tree, listen, serve_raw
from helpers import settle
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from ports import free_port
from recorded_spans import Spans, events, is_linked, said
from traced_clients import dialling

from greenroom.actors import StartFailed
from greenroom.supervisor import Options

PAUSE = Options(backoff_min_seconds=3600, backoff_max_seconds=3600)  # behind the second attempt


async def test_a_refusal(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    An attempt that the server refuses has its status, and has failed; so has what says it is lost.
    """
    server.refuse_with = 403
    await Tree.start(nursery, dialling(server.url), PAUSE)
    await settle(lambda: spans.named("process Feed Lost"))
    span, lost = spans.named("GET")[0], spans.named("process Feed Lost")[0]

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["http.response.status_code"] == 403
    assert said(span)["error.type"] == "403"
    assert is_linked(lost, span)
    assert events(lost) == [("exception", None)]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 No\r\nSet-Cookie: s3cret\r\nContent-Length: 6\r\n\r\ns3cret",
        b"HTTP/1.1 403 No\r\nSet-Cookie : s3cret\r\n\r\n",
        b"s3cret\r\n\r\n",
    ],
    ids=["a refusal", "no header", "no status"],
)
async def test_no_content(
    nursery: trio.Nursery, spans: Spans, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    """
    What a server answers, HTTP or not, is in no span, in no event and not in the log.
    """
    caplog.set_level(logging.DEBUG, "greenroom")

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await listen(stream)

    tree = await Tree.start(nursery, dialling(await serve_raw(nursery, refuse)), PAUSE)
    await tree.wait("slot.crashed")
    await settle(lambda: "no connection to ws://" in caplog.text)
    told = [span.to_json() for span in spans] + [repr(event) for event in tree.events]
    told += [repr(tree.client), caplog.text]

    assert spans.named("process Feed Lost")
    assert [text for text in told if "s3cret" in text] == []


async def test_who_breaks_the_protocol(nursery: trio.Nursery, server: Server, spans: Spans) -> None:
    """
    A loss says whose HTTP is none, by the class of what is wrong, and quotes nothing.
    """

    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"hello\r\n\r\n")
        await listen(stream)

    await Tree.start(nursery, dialling(await serve_raw(nursery, babble)), PAUSE)
    await settle(lambda: spans.named("GET"))
    await Tree.start(nursery, dialling(server.url, {"Host": "a second one"}), PAUSE)
    await settle(
        lambda: [span for span in spans.named("GET") if why(span).endswith("subprotocols")]
    )

    ours = "what was to be sent breaks the protocol (LocalProtocolError)"
    assert {why(span) for span in spans.named("GET")} == {
        "what the server has sent breaks the protocol (RemoteProtocolError)",
        f"{ours}: see headers and subprotocols",
    }


def why(span: ReadableSpan) -> str:
    """Return why the attempt of *span* has failed, without the words of all of them."""
    return (span.status.description or "").partition("(code 1006): ")[2]


@pytest.mark.parametrize(
    "value", ["Bearer s3cret\n", "Bearer s3cret\r\nX: 1", "s3cret\0", " s3cret", "s3cret\u20ac"]
)
async def test_a_header_that_is_none(
    nursery: trio.Nursery, spans: Spans, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    """
    A value that can't be sent keeps the tree from starting, and is told nowhere but in the class.
    """
    caplog.set_level(logging.DEBUG, "greenroom")
    client = dialling("ws://127.0.0.1:1/", {"Authorization": value})
    refused = pytest.RaisesExc(StartFailed, match="can't have 'Authorization' as it is")
    with pytest.RaisesGroup(refused) as group:
        await Tree.start(nursery, client)
    told = [span.to_json() for span in spans]
    told += [caplog.text, "".join(traceback.format_exception(group.value))]

    assert spans.named("start Feed")
    assert [text for text in told if "s3cret" in text] == []


async def test_nobody_there(nursery: trio.Nursery, spans: Spans) -> None:
    """
    An attempt that gets no answer has failed, with what the system said.
    """
    await Tree.start(nursery, dialling(f"ws://127.0.0.1:{free_port()}/"), PAUSE)
    await settle(lambda: spans.named("GET"))
    span = spans.named("GET")[0]

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == "OSError"
    assert "http.response.status_code" not in said(span)


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
