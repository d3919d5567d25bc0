# The output of one HTTP request: whole or cut, in pieces, and bounded.

import threading
from typing import Any

import pytest

from greenroom.actors import Disconnected
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors.consumers import Frame
from greenroom.bridges.asgi._http_output import PIECE_BYTES, HttpOutput

SLOW: list[int] = []


def made(method: str = "GET", **extensions: Any) -> HttpOutput:
    SLOW.clear()
    return HttpOutput(
        {"method": method, "path": "/x", "extensions": extensions},
        LoopThread.current(),
        high_water_bytes=10,
        limit_bytes=20,
        stall_seconds=30,
        on_slow=SLOW.append,
    )


@pytest.fixture
async def output() -> HttpOutput:
    return made()


def taken(output: HttpOutput) -> list[Any]:
    found: list[Any] = []
    while (item := output.take()) is not None:
        event, size = item
        output.sent(size)
        body = event["type"] == "http.response.body"
        found.append((event["body"], event["more_body"]) if body else event.get("status"))
    return found


async def test_order(output: HttpOutput) -> None:
    """
    Head, parts and end go out as they were appended, and nothing behind the end.
    """
    output.start(200, [(b"x", b"y")])
    output.send_part(b"a")
    output.send_part(b"")
    output.send(Frame.of_text("b"))
    output.send(Frame.of_bytes(b"c"))
    output.finish(b"d", ())

    assert taken(output) == [200, (b"a", True), (b"b", True), (b"c", True), (b"d", False)]
    with pytest.raises(Disconnected):
        output.send_part(b"e")
    with pytest.raises(RuntimeError, match="answered once"):
        output.respond(200, (), b"")


async def test_whole_or_cut(output: HttpOutput) -> None:
    """
    WHOLE OR CUT: what is closed before its end has no end; what was not begun is a 500 or 503.
    """
    output.start(200, ())
    assert output.close(1000, "")
    assert taken(output) == [200]
    assert (output.over, output.complete, output.close(1000, "")) == (True, False, False)

    for code, status in ((1011, 500), (1000, 500), (1012, 503), (1001, 503)):
        other = made()
        assert other.close(code, "")
        first, (_, more) = taken(other)
        assert (first, more, other.complete, other.code) == (status, False, True, code)


async def test_in_pieces(output: HttpOutput) -> None:
    """
    IN PIECES: a large body goes out 64 KiB at a time, and its bytes count until they are out.
    """
    body = bytes(range(256)) * 700
    output.respond(200, (), body)
    assert output.facts()["output_bytes"] == len(body)

    (first, *parts) = taken(output)
    assert first == 200
    assert b"".join(part for part, _ in parts) == body
    assert [more for _, more in parts] == [True, True, False]
    assert max(len(part) for part, _ in parts) == PIECE_BYTES
    assert output.facts()["output_bytes"] == 0
    assert output.progress == 4


async def test_delivered(output: HttpOutput) -> None:
    """
    DELIVERED: what waits when the slot ends goes out before the cut.
    """
    output.start(200, ())
    output.send_part(b"last words")
    output.close(1011, "")
    assert taken(output) == [200, (b"last words", True)]


async def test_bounded(output: HttpOutput) -> None:
    """
    Above the high water senders wait; above the limit the client is dropped.
    """
    output.start(200, ())
    assert output.send_part(b"x" * 10) is False
    assert output.send_part(b"x") is True
    assert output.full
    with pytest.raises(Disconnected, match="reads too slowly"):
        output.send_part(b"x" * 10)
    assert SLOW == [11]
    assert taken(output) == []
    assert (output.code, output.complete) == (1013, False)


async def test_one_part_may_be_larger_than_the_limit(output: HttpOutput) -> None:
    """
    A single part above the limit goes out if nothing else waits.
    """
    output.start(200, ())
    assert output.send_part(b"x" * 100) is True
    assert taken(output) == [200, (b"x" * 100, True)]


async def test_who_waits_is_told(output: HttpOutput) -> None:
    """
    Room, and an end, wake who waits for it.
    """
    output.start(200, ())
    output.send_part(b"x" * 15)
    woken: list[str] = []
    output.on_room(lambda: woken.append("room"))
    taken(output)
    assert woken == ["room"]
    output.send_part(b"x" * 15)
    output.on_room(lambda: woken.append("end"))
    assert output.peer_ended(1006, "client left")
    assert woken == ["room", "end"]
    with pytest.raises(Disconnected, match="client left"):
        output.finish(b"", ())


async def test_from_threads(output: HttpOutput) -> None:
    """
    Parts of several threads go out whole, each thread's in its order.
    """
    output = HttpOutput(
        {"method": "GET", "path": "/x"}, LoopThread.current(), high_water_bytes=10**6,
        limit_bytes=10**6, stall_seconds=30, on_slow=SLOW.append,
    )  # fmt: skip
    output.start(200, ())

    def send(name: int) -> None:
        for number in range(200):
            output.send_part(f"{name}:{number}".encode())

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts = [body.decode() for body, _ in taken(output)[1:]]
    for name in range(4):
        assert [part for part in parts if part.startswith(f"{name}:")] == [
            f"{name}:{number}" for number in range(200)
        ]


async def test_head_has_no_body() -> None:
    """
    HEAD: parts go nowhere, and behind the end it is over as any response is.
    """
    output = made("HEAD")
    output.start(200, ())
    output.send_part(b"x" * 1000)
    output.finish(b"y", ())
    with pytest.raises(Disconnected):
        output.send_part(b"z")
    assert taken(output) == [200, (b"", False)]


async def test_trailers() -> None:
    """
    Trailers are announced in the head, where the server has them, and left out elsewhere.
    """
    output = made(**{"http.response.trailers": {}})
    output.start(200, (), trailers=True)
    output.finish(b"", [(b"x", b"y")])
    events = [item[0] for item in iter(output.take, None) if item]
    assert events[0]["trailers"] is True
    assert events[2] == {"type": "http.response.trailers", "headers": [(b"x", b"y")]}

    output = made()
    output.start(200, (), trailers=True)
    output.finish(b"", [(b"x", b"y")])
    assert taken(output) == [200, (b"", False)]


async def test_who_answers_in_its_place(output: HttpOutput) -> None:
    """
    deny() answers what was not begun, once; who answers then is told that it is over.
    """
    output.deny(504, "no answer\n")
    output.deny(500, "again\n")
    assert taken(output) == [504, (b"no answer\n", False)]
    with pytest.raises(Disconnected, match="no answer"):
        output.respond(200, (), b"")


@pytest.mark.parametrize("lengths", [["2"], ["4"], ["3", "3"], ["-3"], ["three"]])
async def test_a_length_that_does_not_hold(output: HttpOutput, lengths: list[str]) -> None:
    """
    A whole response with a content-length that is not its body's is refused at the call.
    """
    headers = [(b"content-length", each.encode()) for each in lengths]
    with pytest.raises(ValueError, match="content-length"):
        output.respond(200, headers, b"abc")
    assert not output.begun
    output.respond(200, [(b"content-length", b"3")], b"abc")
    assert taken(output) == [200, (b"abc", False)]


async def test_parts_are_held_against_the_length(output: HttpOutput) -> None:
    """
    Parts that are too many, and an end that comes too early, are told to who sends them.
    """
    output.start(200, [(b"content-length", b"3")])
    output.send_part(b"ab")
    with pytest.raises(RuntimeError, match="2 bytes come where 1 were left"):
        output.send_part(b"cd")
    with pytest.raises(RuntimeError, match="0 bytes come where 1 were left"):
        output.finish(b"", ())
    output.finish(b"c", ())
    assert taken(output) == [200, (b"ab", True), (b"c", False)]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
async def test_a_length_without_a_body(method: str, status: int) -> None:
    """
    Where no body is sent, a length may say what there would be.
    """
    output = made(method)
    output.respond(status, [(b"content-length", b"300")], b"")
    assert output.complete
