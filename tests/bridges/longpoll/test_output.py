# A session's output by itself: who is woken, what is refused.

import threading
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Disconnected
from greenroom.actors._lowlevel import LoopThread
from greenroom.actors.consumers import Frame
from greenroom.bridges.longpoll._output import LongPollOutput, State
from greenroom.bridges.longpoll._window import Window


class Bench:
    """An output, and what it has told."""

    def __init__(self, *, drop: bool = False) -> None:
        self.news = 0
        self.slow: list[int] = []
        window = Window(messages=4, size=100, drop_oldest=drop)
        scope: dict[str, Any] = {"path": "/p"}
        self.output = LongPollOutput(
            scope,
            LoopThread.current(),
            window,
            stall_seconds=5.0,
            on_news=self.told,
            on_slow=self.slow.append,
        )

    def told(self) -> None:
        self.news += 1


async def test_wakes() -> None:
    """
    An accept, a message and an end are told, from the loop's thread and from others.
    """
    bench = Bench()
    output = bench.output
    output.accept(None, [])
    assert bench.news == 1

    def send() -> None:
        output.send(Frame.of_text("a"))
        output.close(1000, "")

    thread = threading.Thread(target=send)
    thread.start()
    await trio.to_thread.run_sync(thread.join)
    await wait_all_tasks_blocked()
    assert bench.news in (2, 3), "what comes from a thread at one time may be told as one"
    assert output.has_news
    assert output.over


async def test_bounded(clock: MockClock) -> None:
    """
    Senders wait above half of it; one message more than fits ends it, or drops the oldest.
    """
    bench = Bench()
    output = bench.output
    output.accept(None, [])
    assert [output.send_text("x") for _ in range(3)] == [False, False, True]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.wait_room)
        await wait_all_tasks_blocked()
        output.acknowledge(1)
    assert not output.full
    assert [output.send_text("x") for _ in range(2)] == [True, True]
    with pytest.raises(Disconnected, match="1013"):
        output.send_text("x")
    assert bench.slow == [4]
    assert (output.state, output.code, output.window_bytes) == (State.CLOSED, 1013, 0)

    dropping = Bench(drop=True).output
    dropping.accept(None, [])
    assert [dropping.send_text("x") for _ in range(9)] == [False] * 9
    assert dropping.facts()["lost"] == 5


async def test_a_client_that_makes_no_room_is_given_up(clock: MockClock) -> None:
    """
    After `stall_seconds` the session ends; one that has room by then goes on.
    """
    bench = Bench()
    bench.output.accept(None, [])
    for _ in range(3):
        bench.output.send_text("x")
    await bench.output.wait_room()
    assert bench.output.code == 1013
    assert trio.current_time() >= 5
    bench.output.give_up()
    assert bench.slow == [3], "once"


async def test_last() -> None:
    """
    Behind a close nothing is appended; what was sent before is there.
    """
    output = Bench().output
    with pytest.raises(RuntimeError, match="before accept"):
        output.send_text("early")
    output.accept(None, [])
    with pytest.raises(RuntimeError, match="accepted once"):
        output.accept(None, [])
    output.send_text("a")
    assert output.close(4000, "enough")
    assert not output.close(4001, "again")
    assert not output.peer_ended(1006, "")
    with pytest.raises(Disconnected, match="4000"):
        output.send_text("late")
    (message,) = output.unacknowledged().messages
    assert message.frame.text == "a"
    output.fail()
    assert output.code == 4000


async def test_no_subprotocol() -> None:
    """
    There is none to choose; the error says so.
    """
    with pytest.raises(ValueError, match="has no subprotocol"):
        Bench().output.accept("chat", [])
