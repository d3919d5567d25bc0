# Threads of an incarnation that is told to stop: how long they are waited for.

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import Actor, CallFailed, WebsocketConsumer, handles
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


async def test_a_call_in_a_thread_fails_at_once(clock: MockClock, go: threading.Event) -> None:
    """
    A caller hears of the crash while the thread that handles its call is still waited for.
    """
    reached = threading.Event()

    class Slow(Actor):
        @handles("slow")
        def slow(self, message):
            reached.set()
            go.wait(30)

    failed: list[CallFailed] = []
    async with running(Slow) as server:
        ref = server.root.find("/residents/slow")
        target: Any = ref._target

        async def call() -> None:
            with pytest.raises(CallFailed) as caught:
                await ref.call({"type": "slow"}, timeout=60)
            failed.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await settle(reached.is_set)
            target.inject_crash(ValueError("no"))
            await wait_all_tasks_blocked()
            said = [each.problem for each in failed]
            go.set()

    assert said == ["ValueError: no"]
