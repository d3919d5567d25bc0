# Consumers on plain channels in a worker's own tree: supervised, one message at a time.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from django.test import override_settings
from layer_mailbox import until
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.channels.consumer import AsyncConsumer, SyncConsumer
from greenroom.bridges.channels.exceptions import StopConsumer
from greenroom.bridges.channels.layers import InMemoryChannelLayer
from greenroom.bridges.channels.worker import Worker
from greenroom.bridges.tracing._kinds import TracedKinds

log: list[Any] = []


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    log.clear()


class Jobs(AsyncConsumer):
    def __init__(self) -> None:
        self.done = 0

    async def job(self, message: dict[str, Any]) -> None:
        self.done += 1
        log.append((message["n"], self.done))

    async def fail(self, message: dict[str, Any]) -> None:
        raise KeyError("failed")

    async def stop(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def fail_late(self, message: dict[str, Any]) -> None:
        await wait_all_tasks_blocked()
        raise KeyError("failed")

    async def stop_late(self, message: dict[str, Any]) -> None:
        await wait_all_tasks_blocked()
        raise StopConsumer

    async def answer(self, message: dict[str, Any]) -> None:
        await self.send({"type": "x"})


class Blocking(SyncConsumer):
    def job(self, message: dict[str, Any]) -> None:
        log.append(("blocking", message["n"]))


async def application(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "channel"
    consumer = {"jobs": Jobs, "blocking": Blocking}[scope["channel"]]
    await consumer.as_asgi()(scope, receive, send)


@asynccontextmanager
async def working(*channels: str) -> AsyncGenerator[tuple[InMemoryChannelLayer, Worker], None]:
    layer = InMemoryChannelLayer()
    worker = Worker(application, channels, layer)
    async with trio.open_nursery() as nursery:
        await nursery.start(worker.handle)
        yield layer, worker
        worker.root.stop()


@pytest.mark.parametrize("on", [True, False])
async def test_traced(on: bool) -> None:
    """
    The setting TRACING has the worker's tree traced, as it has a server's.
    """
    with override_settings(GREENROOM={"TRACING": on}):
        async with working("jobs") as (_, worker):
            assert isinstance(worker.root.kinds, TracedKinds) is on


async def test_one_consumer_for_each_channel() -> None:
    """
    A channel's messages are handled in order by one consumer, others' beside it.
    """
    async with working("jobs", "blocking", "jobs") as (layer, worker):
        for number in range(3):
            await layer.send("jobs", {"type": "job", "n": number})
        await layer.send("blocking", {"type": "job", "n": 9})
        await until(lambda: len(log) == 4)
        residents = worker.root.snapshot().children[1]

    assert [each for each in log if each[0] != "blocking"] == [(0, 1), (1, 2), (2, 3)]
    assert ("blocking", 9) in log
    assert [child.path for child in residents.children] == [
        "/residents/jobs",
        "/residents/blocking",
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"type": "fail"}, "'failed'"),
        ({"no": "type"}, "Worker received message with no type."),
        ({"type": "unknown"}, "No handler for message type unknown"),
        ({"type": "answer"}, "nobody to send to"),
    ],
)
async def test_a_failing_message_is_seen_and_the_next_is_handled(
    bad: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What a message fails of is logged with its channel; a new consumer takes the next one.
    """
    async with working("jobs", "blocking") as (layer, worker):
        await layer.send("jobs", {"type": "job", "n": 1})
        await layer.send("jobs", bad)
        await layer.send("jobs", {"type": "job", "n": 2})
        await layer.send("blocking", {"type": "job", "n": 3})
        await until(lambda: len(log) == 3)
        crashes = worker.root.events.counts()

    assert [each for each in log if each[0] != "blocking"] == [(1, 1), (2, 1)]
    assert said in caplog.text
    assert "/residents/jobs" in caplog.text
    assert sum(n for kind, n in crashes.items() if "crash" in kind) == 1


@pytest.mark.parametrize("last", ["fail_late", "stop_late"])
async def test_a_message_behind_a_failing_one_is_not_lost(last: str) -> None:
    """
    While a message is handled no other one is taken, which its handler's failure would lose.
    """
    async with working("jobs") as (layer, _):
        await layer.send("jobs", {"type": last})
        for number in (1, 2, 3):
            await layer.send("jobs", {"type": "job", "n": number})
        await until(lambda: len(log) == 3)

    assert log == [(1, 1), (2, 2), (3, 3)]


async def test_a_consumer_that_stops_is_made_anew() -> None:
    """
    StopConsumer ends the consumer and nothing else.
    """
    async with working("jobs") as (layer, _):
        for message in ({"type": "job", "n": 1}, {"type": "stop"}, {"type": "job", "n": 2}):
            await layer.send("jobs", message)
        await until(lambda: len(log) == 2)

    assert log == [(1, 1), (2, 1)]


async def test_messages_wait_in_the_layer() -> None:
    """
    The worker takes a message only when its consumer is ready for it.
    """
    started, go_on = trio.Event(), trio.Event()

    class Slow(AsyncConsumer):
        async def job(self, message: dict[str, Any]) -> None:
            started.set()
            await go_on.wait()

    layer = InMemoryChannelLayer()
    worker = Worker(Slow.as_asgi(), ["jobs"], layer)
    async with trio.open_nursery() as nursery:
        await nursery.start(worker.handle)
        for number in range(5):
            await layer.send("jobs", {"type": "job", "n": number})
        await started.wait()
        await wait_all_tasks_blocked()
        assert layer.channels["jobs"].qsize() == 4
        go_on.set()
        worker.root.stop()


def test_without_a_layer() -> None:
    """
    A worker needs a layer.
    """
    with pytest.raises(ValueError, match="Channel layer is not valid"):
        Worker(application, ["jobs"], None)
