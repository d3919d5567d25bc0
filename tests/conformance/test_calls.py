# Calls and casts, after OTP's gen_server_SUITE and Elixir's suites of GenServer and Task.

import pytest
import trio
from conformance.kit import ActorStopped, CallFailed, CallTimeout, Journal, member, tree
from trio.testing import MockClock

EPOCH = {"type": "epoch"}


async def test_78_a_call_to_who_has_ended_fails_at_once(clock: MockClock, journal: Journal) -> None:
    """
    With five seconds given, and without; it takes no time, and says that he has ended.
    """
    async with tree(journal, [member(journal, "a", restart="temporary")]) as t:
        ref = t.ref("a")
        t.tell("a", "stop")
        await t.calm()
        began = trio.current_time()
        for timeout in (5.0, 0.0):
            with pytest.raises(ActorStopped, match="has ended"):
                await ref.call(EPOCH, timeout)

        assert trio.current_time() == began


async def test_79_a_call_that_is_not_answered_in_time_harms_its_caller_only(
    clock: MockClock, journal: Journal
) -> None:
    """
    A millisecond to an actor that never answers: a timeout; it goes on with what it does.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        began = trio.current_time()
        with pytest.raises(CallTimeout):
            await t.ref("a").call({"type": "wait", "seconds": 1}, timeout=0.001)
        assert round(trio.current_time() - began, 3) == 0.001

        assert await t.ref("a").call(EPOCH) == 1
        assert round(trio.current_time() - began, 3) == 1


async def test_80_a_late_reply_reaches_nobody(clock: MockClock, journal: Journal) -> None:
    """
    What comes behind the timeout is no message for the caller; it is dropped, and counted.
    """
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        t.tell("b", "ask", whom=t.ref("a"), message={"type": "wait", "seconds": 1}, within=0.5)
        t.tell("b", "ask", whom=t.ref("a"), message=EPOCH, within=5)
        await t.calm(2)

        assert journal.since(2) == ["b heard no answer", "b heard 1"]
        assert t.told("call.late") == ["a"]
        assert t.letters() == []


async def test_83_a_deferred_reply_in_time(clock: MockClock, journal: Journal) -> None:
    """
    Sent after a millisecond, with thirty to wait: it is the reply.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        reply = await t.ref("a").call({"type": "later", "after": 0.001}, timeout=0.03)

        assert reply == "at last"
        assert journal.lines[-1] == "taken: True"


async def test_83_a_deferred_reply_too_late(clock: MockClock, journal: Journal) -> None:
    """
    Sent after thirty milliseconds, with one to wait: a timeout, and the actor is unharmed.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        with pytest.raises(CallTimeout):
            await t.ref("a").call({"type": "later", "after": 0.03}, timeout=0.001)
        await t.calm()

        assert t.told("call.late") == ["a"]
        assert journal.lines[-1] == "taken: False"
        assert await t.ask("a", "epoch") == 1


async def test_83_a_deferred_reply_whose_actor_crashes(clock: MockClock, journal: Journal) -> None:
    """
    Where the actor, and so the delegate, dies before it has answered, the caller is told.
    """
    async with tree(journal, [member(journal, "a")]) as t, trio.open_nursery() as nursery:
        began = trio.current_time()

        async def crash() -> None:
            await trio.sleep(1)
            t.tell("a", "crash")

        nursery.start_soon(crash)
        with pytest.raises(CallFailed, match="boom"):
            await t.ref("a").call({"type": "later", "after": 60}, timeout=100)

        assert trio.current_time() - began == 1
        assert not [line for line in journal.lines if line.startswith("taken")]


@pytest.mark.parametrize("what", ["both", "coroutine"])
async def test_84_what_a_handler_must_not_return(
    clock: MockClock, journal: Journal, what: str
) -> None:
    """
    A second answer, or code that nobody has run: the actor crashes, and a caller sees it.
    """
    async with tree(journal, [member(journal, "a")]) as t:
        if what == "both":  # its caller has an answer
            assert await t.ask("a", what) == "one answer"
        else:
            with pytest.raises(CallFailed, match="returned a coroutine that nobody awaits"):
                await t.ask("a", what)

        assert await t.ask("a", "epoch") == 2
        [crash] = t.events("slot.crashed")
        assert str(crash.facts["exception"]).startswith("TypeError: ")


async def test_86_a_cast_to_nobody_harms_nobody(clock: MockClock, journal: Journal) -> None:
    """
    A cast to a reference that is dead, or to a path where nobody lives, is a dead letter.
    """
    children = [member(journal, "a", restart="temporary"), member(journal, "b")]
    async with tree(journal, children) as t:
        dead = t.ref("a")
        t.tell("a", "stop")
        await t.calm()

        assert dead.cast(EPOCH) is False
        assert await t.ask("b", "post", to="/residents/nobody") == "posted"
        assert t.letters() == [("a", "epoch"), ("nobody", "epoch")]
        assert t.epochs() == {"b": 1}
