# A mailbox that fills up is told of once, and once more when it is normal again.

import threading

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.testing import virtual_clock

PATH = "/residents/queue"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Queue(Actor):
    """Handles what it is given when it is told to."""

    mailbox_capacity = 10

    def __init__(self):
        self.gate = trio.Event()

    @handles("hold")
    async def on_hold(self, message):
        await message["until"].wait()
        if message.get("crash"):
            raise ValueError("boom")

    @handles("n")
    async def on_number(self, message):
        pass

    @handles("in a thread")
    def on_thread(self, message):
        pass


def told(server) -> list[tuple[str, object]]:
    alarms = ("mailbox.high", "mailbox.normal")
    return [
        (event.kind, event.facts["depth"])
        for event in server.root.events.recent(1000)
        if event.kind in alarms
    ]


async def hold(server, path: str = PATH, **more) -> trio.Event:
    """Have the actor wait in a handler; return what lets it go on."""
    until = trio.Event()
    server.root.find(path).cast({"type": "hold", "until": until, **more})
    await settle(lambda: server.root.snapshot().find(path).facts.get("handling") == "'hold'")
    return until


async def test_once_each_way(clock: MockClock) -> None:
    """
    At four fifths it is high, and below one half normal; in between nothing more is told.
    """
    async with running(Queue) as server:
        ref = server.root.find(PATH)
        until = await hold(server)
        for _ in range(7):
            assert ref.cast({"type": "n"})
        assert told(server) == []
        for _ in range(3):
            assert ref.cast({"type": "n"})
        assert told(server) == [("mailbox.high", 8)]
        [event] = happened(server, "mailbox.high", PATH)
        assert (event.epoch, event.facts["capacity"], event.facts["handling"]) == (1, 10, "'hold'")
        assert not ref.cast({"type": "n"})  # full, as ever
        until.set()
        await ref.send({"type": "n"})
        await settle(lambda: len(told(server)) == 2)
        assert told(server)[1] == ("mailbox.normal", 4)

        until = await hold(server)
        for _ in range(8):
            ref.cast({"type": "n"})
        assert [kind for kind, _ in told(server)[2:]] == ["mailbox.high"]
        until.set()
        await settle(lambda: len(told(server)) == 4)


async def test_it_stands_through_a_restart(clock: MockClock) -> None:
    """
    Whoever handles what waits, the first incarnation or the next, the end of it is told.
    """
    async with running(Queue) as server:
        ref = server.root.find(PATH)
        until = await hold(server, crash=True)
        for _ in range(10):
            ref.cast({"type": "n"})
        until.set()
        await settle(lambda: len(told(server)) == 2)

    assert [kind for kind, _ in told(server)] == ["mailbox.high", "mailbox.normal"]
    [event] = happened(server, "mailbox.normal", PATH)
    assert event.epoch == 2


async def test_from_a_thread(clock: MockClock) -> None:
    """
    A thread that fills it tells of it at once; the loop notices the end, also of `def` handlers.
    """
    async with running(Queue) as server:
        ref = server.root.find(PATH)
        until = await hold(server)

        def fill() -> None:
            for _ in range(10):
                ref.cast({"type": "in a thread"})
            assert [kind for kind, _ in told(server)] == ["mailbox.high"]

        thread = threading.Thread(target=fill)
        thread.start()
        await settle(lambda: not thread.is_alive())
        until.set()
        await settle(lambda: len(told(server)) == 2)

    assert [kind for kind, _ in told(server)] == ["mailbox.high", "mailbox.normal"]


async def test_small_mailboxes_have_none(clock: MockClock) -> None:
    """
    A mailbox of less than ten messages would be high with each few: it only overflows.
    """

    class Small(Queue):
        mailbox_capacity = 9

    async with running(Small) as server:
        ref = server.root.find("/residents/small")
        until = await hold(server, "/residents/small")
        taken = [ref.cast({"type": "n"}) for _ in range(10)]
        assert taken == [True] * 9 + [False]
        until.set()
        assert await ref.call({"type": "n"}) is None

    assert told(server) == []
