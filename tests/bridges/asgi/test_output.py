# The output of one WebSocket: one order, bounded, and nothing behind the close.

import threading
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import Disconnected
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors.consumers import Frame
from greenroom.bridges.asgi._output import State, WebsocketOutput, denial

DENIAL = {"extensions": {"websocket.http.response": {}}}


class Bench:
    def __init__(self, scope: dict[str, Any] | None = None) -> None:
        self.slow: list[int] = []
        self.output = WebsocketOutput(
            scope if scope is not None else DENIAL | {"subprotocols": ["chat"]},
            LoopThread.current(),
            high_water_bytes=10,
            limit_bytes=20,
            stall_seconds=30,
            on_slow=self.slow.append,
        )
        self.output.path = "/connections/chat/1"

    def opened(self) -> WebsocketOutput:
        self.output.accept(None, ())
        self.output.take()
        return self.output


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def text(content: str) -> Frame:
    return Frame.of_text(content)


def taken(output: WebsocketOutput) -> list[Any]:
    found: list[Any] = []
    while (item := output.take()) is not None:
        event, _ = item
        found.append(event.get("text") or event["type"])
    return found


async def test_order(bench: Bench) -> None:
    """
    ORDER: accept, frames and close go out as they were appended.
    """
    output = bench.output
    output.accept("chat", [(b"x", b"y")])
    output.send(text("a"))
    output.send(text("b"))
    assert output.close(4000, "enough")

    (event, size) = output.take() or ({}, 0)
    assert (event, size) == (
        {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x", b"y")]}, 0,
    )  # fmt: skip
    assert taken(output) == ["a", "b", "websocket.close"]
    assert output.take() is None


async def test_order_from_threads(bench: Bench) -> None:
    """
    ORDER: each thread's frames go out in its order, and the writer is woken.
    """
    output = WebsocketOutput(
        {}, LoopThread.current(), high_water_bytes=10**6, limit_bytes=10**6, stall_seconds=30,
        on_slow=print,
    )  # fmt: skip
    output.accept(None, ())
    output.take()
    start = threading.Barrier(3)

    def send(name: str) -> None:
        start.wait()
        for number in range(200):
            output.send(text(f"{name}{number}"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.parker.park)
        await wait_all_tasks_blocked()
        for name in "abc":
            nursery.start_soon(trio.to_thread.run_sync, send, name)

    frames = taken(output)
    assert len(frames) == 600
    for name in "abc":
        assert [f for f in frames if f[0] == name] == [f"{name}{n}" for n in range(200)]


async def test_bounded_high_water(bench: Bench) -> None:
    """
    BOUNDED: above the high water senders wait, on trio and in threads, until some went out.
    """
    output = bench.opened()
    output.send(text("x" * 10))
    assert not output.full
    output.send(text("y"))
    assert output.full
    came: list[str] = []
    room = threading.Event()
    output.on_room(room.set)
    async with trio.open_nursery() as nursery:

        async def sender() -> None:
            await output.wait_room()
            came.append("trio")

        nursery.start_soon(sender)
        await wait_all_tasks_blocked()
        assert (came, room.is_set()) == ([], False)
        output.take()
        output.sent(10)
        assert room.is_set()

    assert came == ["trio"]
    await output.wait_room()


async def test_bounded_limit(bench: Bench) -> None:
    """
    BOUNDED: above the limit the peer is dropped with 1013, and what waited is forgotten.
    """
    output = bench.opened()
    output.send(text("x" * 15))
    room = threading.Event()
    output.on_room(room.set)
    with pytest.raises(Disconnected, match="1013, reads too slowly"):
        output.send(text("y" * 6))

    assert bench.slow == [15]
    assert room.is_set()
    assert output.take() == (
        {"type": "websocket.close", "code": 1013, "reason": "reads too slowly"}, 0,
    )  # fmt: skip
    assert (output.code, output.over) == (1013, True)
    with pytest.raises(Disconnected):
        output.send(text("z"))
    assert bench.slow == [15]


async def test_a_large_frame_alone_goes_out(bench: Bench) -> None:
    """
    BOUNDED: a single frame above the limit goes out if nothing else waits.
    """
    output = bench.opened()
    output.send(text("x" * 100))

    assert taken(output) == ["x" * 100]
    output.sent(100)
    assert not output.full
    assert bench.slow == []


async def test_the_limit_counts_bytes(bench: Bench) -> None:
    """
    Sizes are those of the encoded text, not its characters.
    """
    output = bench.opened()
    output.send(text("é" * 6))

    assert output.facts()["output_bytes"] == 12
    assert output.full


async def test_last(bench: Bench) -> None:
    """
    LAST: behind a close nothing is appended, and closing again is no different.
    """
    output = bench.opened()
    assert output.close(4000, "enough")
    assert not output.close(1000, "")
    with pytest.raises(Disconnected) as gone:
        output.send(text("late"))
    with pytest.raises(Disconnected):
        output.accept(None, ())
    output.deny(500, "late")

    assert (gone.value.code, gone.value.reason) == (4000, "enough")
    assert taken(output) == ["websocket.close"]
    assert output.facts()["close_code"] == 4000


async def test_last_before_accept(bench: Bench) -> None:
    """
    LAST: close() before accept refuses, without a code, and nothing follows.
    """
    output = bench.output
    assert not output.decided
    output.close(1000, "")

    assert output.take() == ({"type": "websocket.close"}, 0)
    assert (output.decided, output.opened) == (True, False)
    with pytest.raises(Disconnected):
        output.accept(None, ())


async def test_the_handshake_has_an_order(bench: Bench) -> None:
    """
    send() before accept, and a second accept, are mistakes and say so.
    """
    output = bench.output
    with pytest.raises(RuntimeError, match=r"send\(\) before accept\(\)"):
        output.send(text("early"))
    with pytest.raises(ValueError, match=r"one that the client offered: \['chat'\]. Got: 'mqtt'"):
        output.accept("mqtt", ())
    output.accept(None, ())
    with pytest.raises(RuntimeError, match=r"accept\(\) was called before"):
        output.accept(None, ())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (b"x-a", b"1\r\nx-b: 2", "no header of HTTP can be b'x-a'"),
        (b"x-a", b" padded", "no header of HTTP can be b'x-a'"),
        (b"x a", b"1", "no header of HTTP can be b'x a'"),
        (b"sec-websocket-protocol", b"chat", r"accept\(subprotocol=...\)"),
    ],
)
async def test_headers_that_no_server_sends(
    bench: Bench, name: bytes, value: bytes, message: str
) -> None:
    """
    A header that can't be sent is refused at accept(), and the handshake stays undecided.
    """
    with pytest.raises(ValueError, match=message):
        bench.output.accept(None, [(name, value)])
    assert not bench.output.decided
    bench.output.accept(None, [(b"x-a", b""), (b"x-b", b"two words, \xe9")])


async def test_a_peer_that_is_gone_gets_nothing(bench: Bench) -> None:
    """
    After the peer's end what waited is forgotten, waiters go on, and sends say how it ended.
    """
    output = bench.opened()
    output.send(text("x" * 11))
    room = threading.Event()
    output.on_room(room.set)

    assert output.peer_ended(1001, "bye")
    assert not output.peer_ended(1006, "")
    assert room.is_set()
    assert output.take() is None
    assert (output.state, output.code) == (State.OVER, 1001)
    with pytest.raises(Disconnected, match=r"code 1001, bye"):
        output.send(text("late"))
    assert not output.close(1000, "")
    output.sent(11)  # the one that was under way


async def test_our_code_stands_against_the_peers() -> None:
    """
    Where we closed first the peer's answer changes neither code nor reason.
    """
    bench = Bench()
    output = bench.opened()
    output.close(4000, "enough")

    assert not output.peer_ended(1005, "")
    assert output.code == 4000


@pytest.mark.parametrize("opened", [False, True])
async def test_fail(opened: bool) -> None:
    """
    A failed opening is a denial with 500 before accept, and a close with 1011 after.
    """
    bench = Bench()
    output = bench.opened() if opened else bench.output
    output.fail()

    event, _ = output.take() or ({}, 0)
    if opened:
        assert event == {"type": "websocket.close", "code": 1011, "reason": ""}
    else:
        assert (event["type"], event["status"]) == ("websocket.http.response.start", 500)


def test_denial_where_the_server_has_it() -> None:
    """
    A denial is a whole HTTP response, or a plain close where the server has none.
    """
    start, body = denial(DENIAL, 503, "later\n", [(b"retry-after", b"5")])

    assert start["status"] == 503
    assert (b"content-length", b"6") in start["headers"]
    assert (b"retry-after", b"5") in start["headers"]
    assert body == {"type": "websocket.http.response.body", "body": b"later\n"}
    for scope in ({}, {"extensions": None}, {"extensions": {}}):
        assert [event["type"] for event in denial(scope, 503, "later")] == ["websocket.close"]


@pytest.mark.parametrize("code", [0, 1004, 1005, 1006, 1015, 5000])
async def test_codes_that_no_frame_may_carry(bench: Bench, code: int) -> None:
    """
    A close with a code that stands for "no frame came" goes out as 1000.
    """
    output = bench.opened()
    output.close(code, "")

    event, _ = output.take() or ({}, 0)
    assert event["code"] == 1000


async def test_facts(bench: Bench) -> None:
    """
    The tree shows state, url, client and waiting bytes.
    """
    output = Bench({"path": "/ws", "client": ("1.2.3.4", 5)}).output

    assert output.facts() == {
        "socket": "connecting", "url": "/ws", "client": "1.2.3.4:5", "output_bytes": 0,
    }  # fmt: skip
    assert Bench({"client": None}).output.facts()["client"] == ""


def test_frames_are_made_once() -> None:
    """
    A frame's event is made once and shared; a mutable buffer is copied; its size is in bytes.
    """
    data = bytearray(b"abc")
    frame = Frame.of_bytes(data)
    data[0] = 0

    assert frame.asgi() is frame.asgi()
    assert frame.asgi() == {"type": "websocket.send", "bytes": b"abc"}
    assert text("é").asgi() == {"type": "websocket.send", "text": "é"}
    assert (frame.size, text("é").size) == (3, 2)
    assert repr(frame) == "<Frame binary 3 bytes>"
    assert repr(text("abcd")) == "<Frame text 4 bytes>"


async def test_a_stalled_peer_is_given_up(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    """
    BOUNDED: who waits for room longer than the stall deadline finds the peer dropped with 1013.
    """
    output = bench.opened()
    output.send(text("x" * 15))
    began = trio.current_time()
    await output.wait_room()

    assert trio.current_time() - began == 30
    assert bench.slow == [15]
    assert (output.over, output.code) == (True, 1013)
    with pytest.raises(Disconnected):
        output.send(text("y"))


async def test_a_peer_that_reads_in_time_is_kept(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    """
    BOUNDED: room within the stall deadline ends the wait, and giving up then does nothing.
    """
    output = bench.opened()
    output.send(text("x" * 15))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.wait_room)
        await trio.sleep(29)
        output.take()
        output.sent(15)
    output.give_up()

    assert bench.slow == []
    assert not output.over
