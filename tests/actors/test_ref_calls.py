# Calls: replies, timeouts, late and skipped ones, and the two sides.
import gc
import threading
from typing import Any

import pytest
import trio
from counter import Boom, Counter, GetCount, counter, fill, instance, note
from helpers import happened, running, settle, watch
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallCycle,
    CallFailed,
    CallTimeout,
    SelfCall,
    UndeclaredMessage,
    WrongSide,
    handles,
)
from greenroom.supervisor import ChildSpec, Options


async def test_call_timeout(autojump_clock: MockClock) -> None:
    """
    A call that takes too long raises CallTimeout; its late reply is dropped and counted.
    """

    class Slow(Actor):
        @handles("sleep")
        async def sleep(self, message):
            await trio.sleep(message["seconds"])

    async with running(Slow) as server:
        ref = server.root.find("/residents/slow")
        began = trio.current_time()
        late = watch(server, "call.late")
        with pytest.raises(CallTimeout, match=r"/residents/slow did not reply within 2 s"):
            await ref.call({"type": "sleep", "seconds": 10}, timeout=2)
        assert round(trio.current_time() - began) == 2

        event = await late.until()
        assert event.facts == {"message": "call 'sleep'"}
        assert round(trio.current_time() - began) == 10


async def test_a_call_whose_caller_left_is_skipped(autojump_clock: MockClock) -> None:
    """
    A request still queued when its caller times out or is cancelled is never run.
    """
    async with running(counter(mailbox_capacity=10)) as server:
        ref = server.root.find("/residents/counter")
        ref.cast({"type": "block"})
        skipped = watch(server, "call.skipped")
        with pytest.raises(CallTimeout):
            await ref.call(Boom(), timeout=1)
        with trio.move_on_after(1):
            await ref.call(Boom())
        instance(server).gate.set()
        await skipped.until(2)

        assert await ref.call(GetCount()) == 0
        assert happened(server, "slot.crashed") == []


async def test_a_call_waits_for_room_within_its_timeout(autojump_clock: MockClock) -> None:
    """
    The timeout covers room, queue and handler together.
    """
    async with running(Counter) as server:
        ref = await fill(server)
        with pytest.raises(CallTimeout):
            await ref.call(GetCount(), timeout=3)
        assert ref._target.mailbox.messages == 2
        instance(server).gate.set()

        assert await ref.call(GetCount()) == 2


async def test_a_crash_fails_its_call_and_not_the_queued_ones() -> None:
    """
    The call being handled fails with its cause; queued calls wait for the next incarnation.
    """
    async with running(counter(mailbox_capacity=10)) as server:
        ref = server.root.find("/residents/counter")
        answers: list[object] = []

        async def ask(message: object) -> None:
            try:
                answers.append(await ref.call(message))
            except CallFailed as error:
                answers.append(repr(error.__cause__))

        async with trio.open_nursery() as nursery:
            ref.cast({"type": "block"})
            for message in (Boom(), GetCount()):
                nursery.start_soon(ask, message)
                await wait_all_tasks_blocked()
            instance(server).gate.set()

        assert answers == ["ValueError('boom')", 0]
        with pytest.raises(
            CallFailed, match=r"crashed while it handled this call: ValueError: boom"
        ):
            await ref.call(Boom())


async def test_the_end_fails_queued_calls() -> None:
    """
    When the slot ends every call that waits is told so at once, and is a dead letter.
    """
    async with running(counter(mailbox_capacity=10, shutdown_seconds=0)) as server:
        ref = server.root.find("/residents/counter")
        async with trio.open_nursery() as nursery:

            async def ask(message: object) -> None:
                with pytest.raises(ActorStopped):
                    await ref.call(message, timeout=1000)

            nursery.start_soon(ask, {"type": "block"})
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, GetCount())
            await wait_all_tasks_blocked()
            ref.stop("enough")

        (letter,) = happened(server, "message.dead_letter")
        assert "GetCount" in str(letter.facts)


async def test_a_task_that_fails_fails_the_call_being_handled() -> None:
    """
    When a background task crashes the incarnation the call being handled fails at once.
    """

    class Busy(Actor):
        @handles("wait")
        async def wait(self, message):
            self.start_soon(self.fail)
            await trio.sleep_forever()

        async def fail(self):
            raise ValueError("task")

    async with running(Busy) as server:
        with pytest.raises(CallFailed, match="ValueError: task"):
            await server.root.find("/residents/busy").call({"type": "wait"}, timeout=1000)


async def test_an_undeclared_message() -> None:
    """
    A message without a handler is a dead letter that names the decorator; a call is told.
    """
    async with running(Counter) as server:
        ref = server.root.find("/residents/counter")
        with pytest.raises(
            UndeclaredMessage, match=r"no handler for 'send'. Declare one: @handles\('send'\)"
        ):
            await ref.call({"type": "send"})
        assert ref.cast({"type": "stop"}) is True
        await ref.call(GetCount())

        letters = happened(server, "message.dead_letter")
        assert [letter.facts["reason"] for letter in letters] == [
            "no handler: declare one with @handles('send')",
            "no handler: declare one with @handles('stop')",
        ]


class Selfish(Actor):
    @handles("async")
    async def call_itself(self, message):
        await self.ref.call({"type": "async"})

    @handles("sync")
    def call_itself_in_thread(self, message):
        self.ref.call_blocking({"type": "sync"})


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_actor_cannot_call_itself(kind: str) -> None:
    """
    A call to oneself is refused at once, on trio and in a thread, with what to do instead.
    """
    async with running(Selfish) as server:
        with pytest.raises(CallFailed, match=r"called itself.*Call the method, or cast") as caught:
            await server.root.find("/residents/selfish").call({"type": kind})

        assert isinstance(caught.value.__cause__, SelfCall)


async def test_each_side_names_the_other() -> None:
    """
    A method used on the wrong side raises at once and names the one for that side.
    """
    async with running(Counter) as server:
        ref = server.root.find("/residents/counter")
        with pytest.raises(WrongSide, match=r"call_blocking\(\) can't be used on trio: use await"):
            ref.call_blocking(GetCount())
        with pytest.raises(WrongSide, match=r"use await ref.send\(...\) there"):
            ref.send_blocking(note(1))
        for method, other in ((ref.call, "call_blocking"), (ref.send, "send_blocking")):
            with pytest.raises(WrongSide, match=rf"in a worker thread: use ref.{other}\(...\)"):
                await trio.to_thread.run_sync(method, GetCount())
        gc.collect()


async def test_call_blocking_frees_its_place() -> None:
    """
    While a thread waits for a reply its place in the pool is free: one thread is enough.
    """

    class Asks(Actor):
        @handles("ask")
        def ask(self, message):
            return self.find("/residents/answers").call_blocking({"type": "question"})

    class Answers(Actor):
        @handles("question")
        def question(self, message):
            return threading.current_thread().name

    async with running(Asks, Answers, options=Options(consumer_threads=1)) as server:
        name = await server.root.find("/residents/asks").call({"type": "ask"})

    assert name.startswith("consumers-")


async def test_a_stop_frees_a_thread_that_waits_for_a_reply() -> None:
    """
    A handler blocked in call_blocking is freed when its actor is told to stop.
    """

    class Asks(Actor):
        @handles("ask")
        def ask(self, message):
            self.find("/residents/mute").call_blocking({"type": "question"}, timeout=1000)

    class Mute(Actor):
        shutdown_seconds = 0

        @handles("question")
        async def question(self, message):
            await trio.sleep_forever()

    async with running(Mute, Asks) as server:
        ref = server.root.find("/residents/asks")
        ref.cast({"type": "ask"})
        await settle(lambda: server.root.pool.statistics().parked == 1)
        ref.stop()
        with trio.fail_after(5):
            await settle(lambda: not ref.alive)

        assert happened(server, "thread.abandoned") == []
        assert happened(server, "slot.crashed") == []


class Relay(Actor):
    """Calls on along `path`, in a handler or beside it."""

    @handles("go")
    async def on_go(self, message: dict[str, Any]) -> object:
        if not message["path"]:
            return "arrived"
        following, *rest = message["path"]
        return await self.find(following).call({**message, "path": rest})

    @handles("aside")
    async def on_aside(self, message: dict[str, Any]) -> None:
        self.start_soon(self.ask, message)

    async def ask(self, message: dict[str, Any]) -> None:
        answers.append(await self.find(message["whom"]).call({"type": "go", "path": []}))

    @handles("threaded")
    def on_threaded(self, message: dict[str, Any]) -> object:
        following, *rest = message["path"]
        return self.find(following).call_blocking({"type": "go", "path": rest})


answers: list[object] = []


@pytest.mark.parametrize("first", ["go", "threaded"])
async def test_a_cycle_of_calls_is_refused(first: str) -> None:
    """
    Who calls an actor that waits for it is told at once, with the chain, from any handler.
    """
    relays = [ChildSpec(actor=Relay, name=name) for name in "abc"]
    a, b, c = (f"/residents/{name}" for name in "abc")
    async with running(*relays) as server:
        with pytest.raises(CallFailed) as failed:
            await server.root.find(a).call({"type": first, "path": [b, c, a]})
        causes = [failed.value.__cause__]
        while causes[-1] is not None:
            causes.append(causes[-1].__cause__)
        cycle = next(each for each in causes if isinstance(each, CallCycle))
        assert cycle.chain == (a, b, c, a)
        assert f"{a} calls {b} calls {c} calls {a}" in str(cycle)
        assert await server.root.find(a).call({"type": "go", "path": [b, c]}) == "arrived"


async def test_a_task_beside_the_handlers_closes_no_cycle() -> None:
    """
    A background task may call whom its actor's handler has answered: nobody waits for it.
    """
    answers.clear()
    relays = [ChildSpec(actor=Relay, name=name) for name in "ab"]
    async with running(*relays) as server:
        ref = server.root.find("/residents/b")
        await ref.call({"type": "aside", "whom": "/residents/a"})
        await settle(lambda: answers == ["arrived"])
