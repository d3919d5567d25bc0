# What failed code held is let go of at once, not when the garbage collector comes by: the error's
# traceback holds the frames, and nothing of ours may hold the error in a cycle.

import gc
import logging
import weakref
from collections.abc import Iterator

import pytest
import trio
from helpers import running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, NotAnswered, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import TaskPoolSpec, current_root

PATH = "/residents/holder"
POOL = TaskPoolSpec(name="tasks", shutdown_seconds=2)


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Keep the collector, and pytest, which keeps what the log was given, out of it."""
    logger = logging.getLogger("greenroom")
    gc.collect()
    gc.disable()
    logger.disabled = True
    yield
    logger.disabled = False
    gc.enable()


class Thing:
    """Something whose end can be seen."""


async def fail(thing: Thing) -> None:
    raise ValueError(f"no room for {thing}")


def fail_in_thread(thing: Thing) -> None:
    raise ValueError(f"no room for {thing}")


class Holder(Actor):
    """Fails with a thing in its hands, in one way or another."""

    restart = "permanent"

    @handles("async")
    async def on_async(self, message):
        await fail(message["thing"])

    @handles("def")
    def on_def(self, message):
        fail_in_thread(message["thing"])

    @handles("task")
    async def on_task(self, message):
        self.start_soon(fail, message["thing"])


class Once(Holder):
    restart = "temporary"


@pytest.mark.parametrize("how", ["async", "def", "task"])
@pytest.mark.parametrize("kind", [Holder, Once])
async def test_a_crash(clock: MockClock, kind: type[Holder], how: str) -> None:
    """
    A crash lets go of what its handler held, whether the actor begins anew or not.
    """
    thing = Thing()
    gone = weakref.ref(thing)
    async with running(type("Holder", (kind,), {})) as server:
        server.root.find(PATH).cast({"type": how, "thing": thing})
        del thing
        await trio.sleep(5)
        await settle(lambda: gone() is None)  # a thread that has told of its end may hold it yet
        assert gone() is None


@pytest.mark.parametrize("function", [fail, fail_in_thread])
async def test_a_task_of_a_pool(clock: MockClock, function) -> None:
    """
    A task that fails lets go of its arguments, whether somebody waits for it or not.
    """
    things = [Thing(), Thing()]
    gone = [weakref.ref(each) for each in things]
    async with running(POOL) as server:
        pool = server.root.task_pool("/residents/tasks")
        pool.start(function, things.pop())
        with pytest.raises(ValueError, match="no room"):
            await pool.run(function, things.pop())
        await trio.sleep(5)
        await settle(lambda: [each() for each in gone] == [None, None])
        assert [each() for each in gone] == [None, None]


class Asked(Actor):
    """Has a task of a pool answer for it."""

    @handles("question")
    async def on_question(self, message):
        current_root().task_pool("/residents/tasks").start(fail, self.reply_later())


async def test_a_reply_that_a_failed_task_was_to_give(clock: MockClock) -> None:
    """
    A task that fails with a deferred reply in its hands fails the call, long before its timeout.
    """
    async with running(POOL, Asked) as server:
        began = trio.current_time()
        with pytest.raises(NotAnswered):
            await server.root.find("/residents/asked").call({"type": "question"}, timeout=100)
        assert trio.current_time() < began + 100


async def test_a_consumer() -> None:
    """
    A consumer that crashes, and crashes for good, lets go of what its handlers held.
    """
    things: list[weakref.ref[Thing]] = []

    class Chat(WebsocketConsumer):
        max_restarts = 1

        async def receive(self, text):
            thing = Thing()
            things.append(weakref.ref(thing))
            await fail(thing)

    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat/") as socket:
            socket.send_text("a")
            socket.send_text("b")
            await ended.until()
        await settle(lambda: not server.root.connections.open)
        assert [each() for each in things] == [None, None]
