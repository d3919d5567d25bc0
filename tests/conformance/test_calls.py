# Calls, casts, and the timeout of an idle actor, after OTP's gen_server_SUITE and Elixir's
# suites of GenServer and Task.

import pytest
import trio
from conformance.kit import Journal, Member, member, tree
from helpers import happened, running, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorStopped,
    CallFailed,
    CallTimeout,
    DeferredReply,
    handles,
)
from greenroom.supervisor import ChildSpec

EPOCH = {"type": "epoch"}


class Delegate(Member):
    """Answers by a task of its own, after a while; or wrongly; or casts to others."""

    @handles("later")
    async def on_later(self, message):
        self.start_soon(self.answer, message["after"], self.reply_later())

    async def answer(self, after: float, reply: DeferredReply) -> None:
        await trio.sleep(after)
        self.journal.write(f"taken: {reply.send('at last')}")

    @handles("both")
    async def on_both(self, message):
        reply = self.reply_later()
        reply.send("one answer")
        return "another one"

    @handles("post")
    async def on_post(self, message):
        self.cast(message["to"], EPOCH)
        return "posted"

    @handles("coroutine")
    async def on_coroutine(self, message):
        return self.on_epoch(message)


def delegate(journal: Journal, name: str = "a") -> ChildSpec:
    kwargs = {"journal": journal, "name": name}
    return ChildSpec(actor=Delegate, name=name, kwargs=kwargs, restart="permanent")


async def test_78_a_call_to_who_has_ended_fails_at_once(clock: MockClock, journal: Journal) -> None:
    """
    78: with five seconds given, and without; it takes no time, and says that he has ended.
    """
    async with tree(journal, [member(journal, "a", restart="temporary")]) as s:
        ref = s.ref("a")
        s.tell("a", "stop")
        await ref.wait_ended()
        began = trio.current_time()
        for timeout in (5.0, 0.0):
            with pytest.raises(ActorStopped, match="has ended"):
                await ref.call(EPOCH, timeout)

        assert trio.current_time() == began


async def test_79_a_call_that_is_not_answered_in_time_harms_its_caller_only(
    clock: MockClock, journal: Journal
) -> None:
    """
    79: a millisecond to an actor that never answers: CallTimeout; it goes on with what it does.
    """
    async with tree(journal, [member(journal, "a")]) as s:
        began = trio.current_time()
        with pytest.raises(CallTimeout):
            await s.ref("a").call({"type": "wait", "seconds": 1}, timeout=0.001)
        assert round(trio.current_time() - began, 3) == 0.001

        assert await s.ref("a").call(EPOCH) == 1
        assert round(trio.current_time() - began, 3) == 1


async def test_80_a_late_reply_reaches_nobody(clock: MockClock, journal: Journal) -> None:
    """
    80: what comes behind the timeout is no message for the caller; it is dropped, and counted.
    """
    got: list[object] = []

    class Caller(Actor):
        @handles("go")
        async def on_go(self, message):
            try:
                await message["whom"].call({"type": "wait", "seconds": 1}, timeout=0.5)
            except CallTimeout:
                got.append("timeout")
            got.append(await message["whom"].call(EPOCH))

    async with tree(journal, [member(journal, "a")], beside=[Caller]) as s:
        late = watch(s.server, "call.late")
        caller = s.server.root.find("/residents/caller")
        await caller.call({"type": "go", "whom": s.ref("a")})
        await late.until()

        assert got == ["timeout", 1]
        assert s.server.root.dead_letters.recent() == []
        assert caller._target.mailbox.queued == 0


async def test_83_a_deferred_reply_in_time(clock: MockClock, journal: Journal) -> None:
    """
    83: sent after a millisecond, with thirty to wait: it is the reply.
    """
    async with tree(journal, [delegate(journal)]) as s:
        reply = await s.ref("a").call({"type": "later", "after": 0.001}, timeout=0.03)

        assert reply == "at last"
        assert journal.lines[-1] == "taken: True"


async def test_83_a_deferred_reply_too_late(clock: MockClock, journal: Journal) -> None:
    """
    83: sent after thirty milliseconds, with one to wait: a timeout, and the actor is unharmed.
    """
    async with tree(journal, [delegate(journal)]) as s:
        late = watch(s.server, "call.late")
        with pytest.raises(CallTimeout):
            await s.ref("a").call({"type": "later", "after": 0.03}, timeout=0.001)
        await late.until()

        assert journal.lines[-1] == "taken: False"
        assert await s.ref("a").call(EPOCH) == 1


async def test_83_a_deferred_reply_whose_actor_crashes(clock: MockClock, journal: Journal) -> None:
    """
    83: where the actor, and so the delegate, dies before it has answered, the caller is told.
    """
    async with tree(journal, [delegate(journal)]) as s, trio.open_nursery() as nursery:
        began = trio.current_time()

        async def crash() -> None:
            await trio.sleep(1)
            s.tell("a", "crash")

        nursery.start_soon(crash)
        with pytest.raises(CallFailed, match="boom"):
            await s.ref("a").call({"type": "later", "after": 60}, timeout=100)

        assert trio.current_time() - began == 1
        assert not [line for line in journal.lines if line.startswith("taken")]


@pytest.mark.parametrize("what", ["both", "coroutine"])
async def test_84_what_a_handler_must_not_return(
    clock: MockClock, journal: Journal, what: str
) -> None:
    """
    84: a second answer, or code that nobody has run: the actor crashes, and a caller sees it.
    """
    async with tree(journal, [delegate(journal)]) as s:
        if what == "both":  # its caller has an answer
            assert await s.ref("a").call({"type": what}) == "one answer"
        else:
            with pytest.raises(CallFailed, match="returned a coroutine that nobody awaits"):
                await s.ref("a").call({"type": what})

        assert await s.ref("a").call(EPOCH) == 2
        [crash] = s.events("slot.crashed")
        assert str(crash.facts["exception"]).startswith("TypeError: ")


async def test_86_a_cast_to_nobody_harms_nobody(clock: MockClock, journal: Journal) -> None:
    """
    86: a cast to a reference that is dead, or to a path where nobody lives, is a dead letter.
    """
    children = [member(journal, "a", restart="temporary"), delegate(journal, "b")]
    async with tree(journal, children) as s:
        dead = s.ref("a")
        s.tell("a", "stop")
        await dead.wait_ended()

        assert dead.cast(EPOCH) is False
        assert await s.ref("b").call({"type": "post", "to": "/residents/nobody"}) == "posted"
        letters = s.server.root.dead_letters.recent()
        assert [letter.reason for letter in letters] == [
            "the actor has ended (done)",
            "the actor has ended, or never was",
        ]
        assert s.epochs() == {"b": 1}


@pytest.mark.parametrize(("at", "order"), [(0.5, ["message"]), (1.5, ["idle", "message"])])
async def test_88_the_timeout_of_an_idle_actor(
    clock: MockClock, at: float, order: list[str]
) -> None:
    """
    88: of one second: a message at 0.5 is in time; at 1.5 the handler of the timeout ran first.
    """
    log: list[str] = []

    class Idler(Actor):
        idle_seconds = 1.0

        async def idle(self):
            log.append("idle")

        @handles("message")
        async def on_message(self, message):
            log.append("message")

    async with running(Idler) as server:
        await trio.sleep(at)
        await server.root.find("/residents/idler").call({"type": "message"})

        assert log == order
        assert happened(server, "slot.crashed") == []
