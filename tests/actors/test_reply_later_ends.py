# Replies that are owed when their actor ends, when their handle is let go, and when they are many.

import gc
import threading
from collections.abc import Callable

import pytest
import trio
from desk import ASK, BOOM, PATH, Asking, Desk, InThreads, do, owed
from helpers import happened, running, settle, watch
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallFailed,
    NotAnswered,
    Stale,
    TooManyReplies,
    handles,
)
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture(params=[Desk, InThreads])
def desk(request: pytest.FixtureRequest) -> type[Desk]:
    return type("Desk", (request.param,), {})


def crash(server: ServerDriver) -> None:
    server.root.find(PATH).cast(BOOM)


def fail_task(server: ServerDriver) -> None:
    server.root.find(PATH).cast({"type": "do", "what": lambda self: self.start_soon(self.fails)})


def stop(server: ServerDriver) -> None:
    server.root.find(PATH).stop("enough")


def begin_anew(server: ServerDriver) -> None:
    server.root.find(PATH)._target.request_rest("a sibling")


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        (crash, CallFailed, "crashed while it handled this call: ValueError: boom"),
        (fail_task, CallFailed, "crashed while it handled this call: ValueError: boom"),
        (stop, ActorStopped, "stopped while it handled this call"),
        (begin_anew, ActorStopped, "to begin anew (a sibling); its reference stays good"),
    ],
)
async def test_bound(
    desk: type[Desk], how: Callable[[ServerDriver], None], error: type[Exception], text: str
) -> None:
    """
    A crash, a task's, a stop and a restart fail all that is owed; an answer later is stale.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        asking = [Asking(ref) for _ in range(2)]
        for each in asking:
            nursery.start_soon(each.ask)
        await settle(lambda: owed(server) == 2)
        replies = await do(server, lambda self: self.owed)
        how(server)
        await settle(lambda: all(each.answers for each in asking))

        failures = [each.answers[0] for each in asking]
        assert [type(each) for each in failures] == [error] * 2
        assert failures[0] is not failures[1]
        assert text in str(failures[0])
        assert (failures[0].__cause__ is None) == (error is ActorStopped)
        stale = len(happened(server, "work.stale"))
        assert [reply.send("too late") for reply in replies] == [False] * 2
        assert len(happened(server, "work.stale")) == stale + 2
        assert happened(server, "call.late") == []


async def test_bound_while_a_thread_takes_its_time() -> None:
    """
    A task's crash fails what is owed at once, not when the thread of a handler has returned.
    """
    go = threading.Event()

    class Slow(InThreads):
        shutdown_seconds = 1000

        @handles("slow")
        def on_slow(self, message):
            self.start_soon(self.fails)
            go.wait()

    async with running(Slow) as server, trio.open_nursery() as nursery:
        ref = server.root.find("/residents/slow")
        asking = Asking(ref)
        nursery.start_soon(asking.ask)
        await wait_all_tasks_blocked()
        ref.cast({"type": "slow"})
        try:
            await settle(lambda: asking.answers)
        finally:
            go.set()

    assert isinstance(asking.answers[0], CallFailed)


async def test_bound_from_the_moment_that_the_end_begins() -> None:
    """
    A handler that goes on for a moment behind a task's crash is owed no reply any more: Stale.
    """
    caught: list[BaseException] = []

    class Goes(Desk):
        @handles("go on")
        async def on_go_on(self, message):
            self.owed.append(message["first"])
            self.start_soon(self.fails)
            with trio.CancelScope(shield=True):
                await settle(lambda: self._life.failed)
                with pytest.raises(Stale) as error:
                    self.reply_later()
            caught.append(error.value)

    named = type("Desk", (Goes,), {})
    async with running(named) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        first = Asking(ref)
        nursery.start_soon(first.ask)
        await settle(lambda: owed(server) == 1)
        reply = await do(server, lambda self: self.owed[0])
        with pytest.raises(CallFailed, match="boom"):
            await ref.call({"type": "go on", "first": reply})
        await settle(lambda: caught)

        assert [event.facts["what"] for event in happened(server, "work.stale")] == ["reply_later"]


async def test_bound_though_the_answer_is_on_its_way() -> None:
    """
    A thread's answer of the moment before the crash is the reply: the crash comes second.
    """
    async with running(Desk) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        asking = Asking(ref)
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        reply = await do(server, lambda self: self.owed[0])
        life = ref._target._life
        thread = threading.Thread(target=reply.send, args=("here",))
        thread.start()
        thread.join()
        life.fail(ValueError("boom"), "a test")
        await settle(lambda: asking.answers)

        assert asking.answers == ["here"]


async def test_let_go(desk: type[Desk]) -> None:
    """
    A handle that is gone without an answer fails its call at once, which says why.
    """

    class Forgets(desk):
        @handles("ask")
        async def on_ask(self, message):
            self.reply_later()

    async with running(Forgets, desk) as server, trio.open_nursery() as nursery:
        with pytest.raises(NotAnswered, match="reply_later.. had returned was let go of") as failed:
            await server.root.find("/residents/forgets").call(ASK, timeout=1000)
        assert failed.value.actor == "/residents/forgets"
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        await do(server, lambda self: self.owed.clear())
        await settle(lambda: asking.answers)

        assert isinstance(asking.answers[0], NotAnswered)
        events = happened(server, "call.forgotten")
        assert [event.facts for event in events] == [{"message": "call 'ask'"}] * 2
        assert (owed(server), happened(server, "slot.crashed")) == (0, [])


async def test_let_go_in_a_cycle_and_a_thread() -> None:
    """
    So does one that the garbage collector finds, in a thread.
    """

    def lose(self: Desk) -> None:
        cycle: list[object] = [self.owed.pop()]
        cycle.append(cycle)

    gc.collect()
    gc.disable()
    try:
        async with running(Desk) as server, trio.open_nursery() as nursery:
            asking = Asking(server.root.find(PATH))
            nursery.start_soon(asking.ask)
            await settle(lambda: owed(server) == 1)
            await do(server, lose)
            await wait_all_tasks_blocked()
            assert asking.answers == []
            await trio.to_thread.run_sync(gc.collect)
            await settle(lambda: asking.answers)
    finally:
        gc.enable()

    assert isinstance(asking.answers[0], NotAnswered)


async def test_let_go_when_nobody_waits(desk: type[Desk], clock: MockClock) -> None:
    """
    Letting go of what was answered, or whose caller has left, is nobody's matter.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        await Asking(server.root.find(PATH), timeout=1).ask()
        nursery.start_soon(Asking(server.root.find(PATH)).ask)
        await settle(lambda: owed(server) == 2)
        await do(server, lambda self: self.owed[1].send("here"))
        await do(server, lambda self: self.owed.clear())
        await settle(lambda: owed(server) == 0)

        assert happened(server, "call.forgotten") == happened(server, "call.late") == []


async def test_bounded(desk: type[Desk], clock: MockClock) -> None:
    """
    One more than the mailbox holds raises TooManyReplies; callers that left make room first.
    """
    resuming = type("Desk", (desk,), {"supervise": {TooManyReplies: "resume"}})
    async with running(resuming) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        await Asking(ref, timeout=1).ask()
        asking = [Asking(ref) for _ in range(3)]
        for each in asking:
            nursery.start_soon(each.ask)
        await settle(lambda: owed(server) == 3)
        one_more = Asking(ref)
        await one_more.ask()

        failure = one_more.answers[0]
        assert isinstance(failure, CallFailed)
        assert str(failure.__cause__) == (
            "/residents/desk owes 3 replies already, as many as its mailbox holds messages."
            " Answer this call now, or raise mailbox_capacity."
        )
        assert await do(server, lambda self: [each.send(1) for each in self.owed]) == [
            False, True, True, True,
        ]  # fmt: skip
        assert len(happened(server, "call.late")) == 1


async def test_a_thread_that_was_left_behind_replies_to_nobody() -> None:
    """
    reply_later() of a thread that was abandoned is Stale, and its handle answers nothing.
    """
    begun, go, done = threading.Event(), threading.Event(), threading.Event()
    caught: list[object] = []

    class Slow(Actor):
        shutdown_seconds = 0

        @handles("ask")
        def on_ask(self, message):
            reply = self.reply_later()
            begun.set()
            go.wait()
            caught.append(reply.send("too late"))
            try:
                self.reply_later()
            except Exception as error:
                caught.append(type(error).__name__)
            done.set()

    async with running(Slow, options=Options()) as server, trio.open_nursery() as nursery:
        ended = watch(server, "slot.ended")
        ref = server.root.find("/residents/slow")
        asking = Asking(ref)
        nursery.start_soon(asking.ask)
        await settle(begun.is_set)
        ref.stop()
        await ended.until()
        assert isinstance(asking.answers[0], ActorStopped)
        go.set()
        await settle(done.is_set)

    assert caught == [False, "Stale"]


async def test_who_never_replies_later_has_nothing_for_it() -> None:
    """
    What keeps the replies that are owed is made by the first of them.
    """
    async with running(Desk) as server, trio.open_nursery() as nursery:
        ref = server.root.find(PATH)
        await do(server, lambda self: None)
        assert ref._target._life.deferred is None
        nursery.start_soon(Asking(ref).ask)
        await settle(lambda: owed(server) == 1)
        assert ref._target._life.deferred is not None
        await do(server, lambda self: self.owed[0].send(None))
