# Replies that come later: from tasks, other actors and threads, late, and twice.

import copy
import pickle
import threading

import pytest
import trio
from desk import ASK, PATH, Asking, Desk, InThreads, do, owed
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    CallCycle,
    CallFailed,
    CallTimeout,
    DeferredReply,
    NotAnswered,
    handles,
)
from greenroom.bridges.testing import virtual_clock


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


@pytest.fixture(params=[Desk, InThreads])
def desk(request: pytest.FixtureRequest) -> type[Desk]:
    return type("Desk", (request.param,), {})


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
