# Replies that come later: from tasks, timers and threads, late, twice, and never.

import copy
import gc
import pickle
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import (
    Actor,
    ActorRef,
    ActorStopped,
    CallCycle,
    CallFailed,
    CallTimeout,
    DeferredReply,
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


class Desk(Actor):
    """Owes an answer to each question, until it is told what to do."""

    on_exceeded = "stop"
    mailbox_capacity = 3

    def __init__(self) -> None:
        self.owed: list[DeferredReply] = []

    @handles("ask")
    async def on_ask(self, message):
        self.owed.append(self.reply_later())

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError("boom")

    async def fails(self):
        raise ValueError("boom")


class InThreads(Desk):
    @handles("ask")
    def on_ask(self, message):
        self.owed.append(self.reply_later())

    @handles("do")
    def on_do(self, message):
        return message["what"](self)


@pytest.fixture(params=[Desk, InThreads])
def desk(request: pytest.FixtureRequest) -> type[Desk]:
    return type("Desk", (request.param,), {})


ASK, BOOM, PATH = {"type": "ask"}, {"type": "boom"}, "/residents/desk"


class Asking:
    """Somebody who calls, and keeps what came of it."""

    def __init__(self, ref: ActorRef, timeout: float = 1000) -> None:
        self.ref, self.timeout = ref, timeout
        self.answers: list[object] = []

    async def ask(self, message: object = ASK) -> None:
        await self._ask(partial(self.ref.call, message, self.timeout))

    async def ask_in_thread(self) -> None:
        call = partial(self.ref.call_blocking, ASK, self.timeout)
        await self._ask(partial(trio.to_thread.run_sync, call))

    async def _ask(self, call: Callable[[], Any]) -> None:
        try:
            self.answers.append(await call())
        except Exception as error:
            self.answers.append(error)


def do(server: ServerDriver, what: Callable[[Any], object]) -> Any:
    return server.root.find(PATH).call({"type": "do", "what": what}, timeout=60)


def owed(server: ServerDriver) -> object:
    node = server.root.snapshot().find(PATH)
    assert node is not None
    return node.facts.get("owed", 0)


@pytest.mark.parametrize("how", ["ask", "ask_in_thread"])
async def test_a_reply_comes_later(desk: type[Desk], how: str) -> None:
    """
    The actor handles other messages while its caller waits, and answers by the handle.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(getattr(asking, how))
        await settle(lambda: owed(server) == 1)
        assert await do(server, lambda self: self.owed[0].waiting)
        assert asking.answers == []
        assert await do(server, lambda self: self.owed[0].send("here"))
        await settle(lambda: asking.answers)

        assert asking.answers == ["here"]
        assert owed(server) == 0
        assert happened(server, "call.late") == []


async def test_the_handler_itself_may_answer(desk: type[Desk]) -> None:
    """
    An answer while the handler still runs is the reply, and what follows is its own matter.
    """

    class Early(desk):
        @handles("ask")
        async def on_ask(self, message):
            assert self.reply_later().send("early")
            await go.wait()

    go = trio.Event()
    async with running(Early) as server:
        assert await server.root.find("/residents/early").call(ASK) == "early"
        go.set()


@pytest.mark.parametrize("where", ["task", "other actor", "thread"])
async def test_anybody_may_answer(desk: type[Desk], where: str) -> None:
    """
    A task, another actor and a thread of the user's own may hold the handle and answer.
    """

    class Clerk(Actor):
        @handles("answer")
        async def on_answer(self, message):
            message["reply"].send(where)

    async def answer(self: Desk) -> None:
        self.owed[0].send(where)

    def begin(self: Desk) -> None:
        if where == "task":
            self.start_soon(answer, self)
        elif where == "thread":
            threading.Thread(target=self.owed[0].send, args=(where,)).start()
        else:
            self.cast("/residents/clerk", {"type": "answer", "reply": self.owed[0]})

    async with running(desk, Clerk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        await do(server, begin)
        await settle(lambda: asking.answers)

        assert asking.answers == [where]


async def test_once(desk: type[Desk]) -> None:
    """
    The second answer is refused with False, from whichever thread, and changes nothing.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        answers = lambda self: (  # noqa: E731
            self.owed[0].send("first"), self.owed[0].send("second"), self.owed[0].fail(OSError()),
            self.owed[0].waiting,
        )  # fmt: skip
        assert await do(server, answers) == (True, False, False, False)
        await settle(lambda: asking.answers)

        assert asking.answers == ["first"]
        assert happened(server, "call.late") == happened(server, "work.stale") == []


async def test_once_of_many_threads() -> None:
    """
    Of twenty threads that answer at the same time one is told True, and its value is the reply.
    """
    taken: list[int] = []
    barrier = threading.Barrier(20)

    def answer(reply: DeferredReply, number: int) -> None:
        barrier.wait()
        if reply.send(number):
            taken.append(number)

    async with running(Desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        reply = await do(server, lambda self: self.owed[0])
        async with trio.open_nursery() as threads:
            for number in range(20):
                threads.start_soon(trio.to_thread.run_sync, answer, reply, number)
        await settle(lambda: asking.answers)

        assert asking.answers == taken
        assert len(taken) == 1


async def test_late(desk: type[Desk], clock: MockClock) -> None:
    """
    An answer behind the caller's timeout, or its cancellation, is False, dropped, and counted.
    """
    async with running(desk) as server:
        asking = Asking(server.root.find(PATH), timeout=2)
        await asking.ask()
        assert isinstance(asking.answers[0], CallTimeout)
        with trio.move_on_after(1):
            await server.root.find(PATH).call(ASK)
        assert await do(server, lambda self: [each.waiting for each in self.owed]) == [False] * 2
        sent = await do(server, lambda self: [self.owed[0].send(1), self.owed[1].fail(OSError())])

        assert sent == [False, False]
        late = happened(server, "call.late")
        assert [event.facts for event in late] == [{"message": "call 'ask'"}] * 2
        assert await do(server, lambda self: self.epoch) == 1


async def test_late_by_a_moment() -> None:
    """
    A caller who leaves between a thread's answer and its delivery: dropped, and counted.
    """
    async with running(Desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        reply = await do(server, lambda self: self.owed[0])
        sent: list[bool] = []
        thread = threading.Thread(target=lambda: sent.append(reply.send("here")))
        late = watch(server, "call.late")
        thread.start()
        thread.join()  # the loop stands still meanwhile
        reply._owed._reply.abandon()
        await late.until()
        nursery.cancel_scope.cancel()

        assert sent == [True]


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
        (begin_anew, ActorStopped, "stopped while it handled this call"),
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


async def test_a_copy_is_the_handle_itself() -> None:
    """
    What `keep` copies must not answer for the original, and no process can be sent one.
    """
    async with running(Desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        reply = await do(server, lambda self: self.owed[0])
        assert copy.copy(reply) is copy.deepcopy([reply])[0] is reply
        with pytest.raises(TypeError, match="can't leave its process"):
            pickle.dumps(reply)
        assert repr(reply) == "<DeferredReply of /residents/desk>"
        reply.send(1)

        assert repr(reply) == "<DeferredReply of /residents/desk, over>"


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


async def test_no_cycle_once_the_handler_has_returned(desk: type[Desk]) -> None:
    """
    An actor may call whom it owes a reply, from a task or another handler, when its own is over.
    """

    class Caller(Actor):
        @handles("go")
        async def on_go(self, message):
            self.start_soon(self.ask)

        async def ask(self):
            got.append(await self.find(PATH).call(ASK))

        @handles("name")
        async def on_name(self, message):
            return "caller"

    class Answers(desk):
        @handles("answer")
        async def on_answer(self, message):
            self.owed[0].send(await self.find("/residents/caller").call({"type": "name"}))

    got: list[object] = []
    named = type("Desk", (Answers,), {})
    async with running(Caller, named) as server:
        server.root.find("/residents/caller").cast({"type": "go"})
        await settle(lambda: owed(server) == 1)
        server.root.find(PATH).cast({"type": "answer"})
        await settle(lambda: got)

    assert got == ["caller"]


@pytest.mark.parametrize("answered", [True, False])
async def test_no_cycle_once_it_is_answered(answered: bool) -> None:
    """
    A handler that has answered may call its caller, which waits no more; before, it is refused.
    """

    class Caller(Actor):
        @handles("go")
        async def on_go(self, message):
            got.append(await self.find("/residents/called").call(ASK))

        @handles("name")
        async def on_name(self, message):
            return "caller"

    class Called(Actor):
        @handles("ask")
        async def on_ask(self, message):
            reply = self.reply_later()
            if answered:
                reply.send("answer")
            try:
                got.append(await self.find("/residents/caller").call({"type": "name"}))
            except CallCycle:
                got.append("refused")
            reply.send("at last")

    got: list[object] = []
    async with running(Caller, Called) as server:
        await server.root.find("/residents/caller").call({"type": "go"})
        await settle(lambda: len(got) == 2)

    assert got == (["answer", "caller"] if answered else ["refused", "at last"])


async def test_a_handler_that_raises_has_failed_its_call(desk: type[Desk]) -> None:
    """
    Also where its class resumes it, what it owes for this call is over, and no other.
    """

    class Raises(desk):
        supervise = {ValueError: "resume"}

        @handles("both")
        async def on_both(self, message):
            self.owed.append(self.reply_later())
            raise ValueError("after all")

    named = type("Desk", (Raises,), {})
    async with running(named) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        with pytest.raises(CallFailed, match="ValueError: after all"):
            await server.root.find(PATH).call({"type": "both"}, timeout=1000)
        assert await do(server, lambda self: [r.send("fine") for r in self.owed]) == [True, False]
        await settle(lambda: asking.answers)

    assert asking.answers == ["fine"]


async def test_an_error_is_an_answer_too(desk: type[Desk]) -> None:
    """
    fail(error) is NotAnswered at the caller, with the error as its cause; the actor lives on.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        with pytest.raises(CallFailed, match=r"fail\(\) takes an exception.*Got: 'no'"):
            await do(server, lambda self: self.owed[0].fail("no"))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        assert await do(server, lambda self: self.owed[-1].fail(OSError("away")))
        await settle(lambda: len(asking.answers) == 2)

        failure = asking.answers[1]
        assert isinstance(failure, NotAnswered)
        assert str(failure) == "/residents/desk did not answer this call: OSError: away"
        assert isinstance(failure.__cause__, OSError)
        assert len(happened(server, "slot.crashed")) == 1  # of the wrong fail()


async def test_what_the_handler_returns_is_refused(desk: type[Desk]) -> None:
    """
    A handler that calls reply_later() and returns a value crashes, and its caller is told why.
    """

    class Returns(desk):
        @handles("ask")
        def on_ask(self, message):
            self.owed.append(self.reply_later())
            return "here"

    class ReturnsAsync(Returns):
        @handles("ask")
        async def on_ask(self, message):
            return super().on_ask(message)

    for actor in (Returns, ReturnsAsync):
        async with running(actor) as server:
            path = f"/residents/{actor.__name__.lower()}"
            with pytest.raises(CallFailed, match=r"returns nothing: .* Got: str") as failed:
                await server.root.find(path).call(ASK, timeout=1000)
            assert isinstance(failed.value.__cause__, TypeError)


async def test_what_nobody_would_run_is_refused(desk: type[Desk]) -> None:
    """
    A coroutine given to send() is a TypeError, as it is where a handler returns one.
    """
    async with running(desk) as server, trio.open_nursery() as nursery:
        asking = Asking(server.root.find(PATH))
        nursery.start_soon(asking.ask)
        await settle(lambda: owed(server) == 1)
        with pytest.raises(CallFailed, match="was given a coroutine that nobody awaits"):
            await do(server, lambda self: self.owed[0].send(self.fails()))


async def test_where_nobody_waits(desk: type[Desk]) -> None:
    """
    In a cast, a tick, a hook and a task it is a RuntimeError that names what is handled.
    """
    told: list[str] = []

    def attempt(self: Desk, *_: object) -> None:
        with pytest.raises(RuntimeError, match="reply_later.. is for handlers of calls") as error:
            self.reply_later()
        told.append(str(error.value).partition(",")[0].removeprefix(f"{PATH} handles "))

    class Tries(desk):
        async def started(self):
            attempt(self)
            self.send_after(0, {"type": "do", "what": attempt})

        async def task(self):
            attempt(self)

    named = type("Desk", (Tries,), {})
    async with running(named) as server:
        await settle(lambda: len(told) == 2)
        server.root.find(PATH).cast({"type": "do", "what": attempt})
        await settle(lambda: len(told) == 3)
        await do(server, lambda self: self.start_soon(self.task))
        await settle(lambda: len(told) == 4)

    assert told == [
        "no message in started()",
        "the timer 'do'",
        "the cast 'do'",
        "no message in a background task",
    ]


async def test_a_background_task_takes_no_call_from_the_handler() -> None:
    """
    reply_later() in a background task is an error also while a handler of the actor has a call.
    """
    errors: list[str] = []

    class Busy(Actor):
        @handles("busy")
        async def on_busy(self, message):
            self.start_soon(self.meddle)
            await done.wait()
            return "answered"

        async def meddle(self):
            try:
                self.reply_later()
            except RuntimeError as error:
                errors.append(str(error))
            done.set()

    done = trio.Event()
    async with running(Busy) as server:
        assert await server.root.find("/residents/busy").call({"type": "busy"}) == "answered"

    assert len(errors) == 1


async def test_twice_or_with_defer_is_refused(desk: type[Desk]) -> None:
    """
    reply_later() twice for one call, and with defer() for it, in either order, are errors.
    """

    def twice(self: Desk) -> None:
        reply = self.reply_later()
        with pytest.raises(RuntimeError, match="has called reply_later.. for this call 'do' alr"):
            self.reply_later()
        with pytest.raises(RuntimeError, match="call defer.. or reply_later.., not both"):
            self.defer()
        reply.send("done")

    def once_released(self: Desk) -> None:
        if released:
            self.start_soon(answer, self.reply_later())
            return
        self.defer()
        with pytest.raises(RuntimeError, match="has put this call 'do' aside"):
            self.reply_later()
        self.cast(self.ref, {"type": "do", "what": release})

    def release(self: Desk) -> None:
        released.append(True)
        self.release()

    async def answer(reply: DeferredReply) -> None:
        reply.send("done")

    released: list[bool] = []
    async with running(desk) as server:
        assert await do(server, twice) == "done"
        assert await do(server, once_released) == "done"
        assert happened(server, "slot.crashed") == []


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
