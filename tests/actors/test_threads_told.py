# Threads of an incarnation that is told to stop: how long they are waited for.

import threading
from collections.abc import Iterator

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()  # which stands still while a thread is waited for


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_a_stop_waits_for_a_thread_once(clock: MockClock, go: threading.Event) -> None:
    """
    A thread that does not return is abandoned `shutdown_seconds` after the stop, not twice that.
    """
    reached = threading.Event()

    class Chat(WebsocketConsumer):
        shutdown_seconds = 5

        def receive(self, text):
            reached.set()
            go.wait(30)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        slot = ws._slot
        ws.send_text("block")
        await settle(reached.is_set)
        slot.request_stop("enough")
        clock.jump(4.9)
        await wait_all_tasks_blocked()
        assert not slot.ended.is_set()
        clock.jump(0.2)
        await wait_all_tasks_blocked()

        assert slot.ended.is_set()
        assert len(happened(server, "thread.abandoned", slot.path)) == 1
        go.set()
