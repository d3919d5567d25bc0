# Where a reply can not come later, and what its handler must not do besides.


import pytest
import trio
from desk import ASK, PATH, Asking, Desk, InThreads, do, owed
from helpers import happened, running, settle

from greenroom.actors import (
    Actor,
    CallFailed,
    DeferredReply,
    handles,
)


@pytest.fixture(params=[Desk, InThreads])
def desk(request: pytest.FixtureRequest) -> type[Desk]:
    return type("Desk", (request.param,), {})


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
