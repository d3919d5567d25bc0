# References: cast and send, from trio and from threads, against each policy.

import pytest
import trio
from counter import Counter, GetCount, counter, drain, fill, instance, note
from helpers import happened, running, settle, watch
from trio.testing import wait_all_tasks_blocked

from greenroom.actors import (
    ActorNotFound,
    ActorStopped,
    CallTimeout,
    MailboxFull,
)


async def test_cast_and_call() -> None:
    """
    Casts are handled in order; a call returns what its handler returned, def or async def.
    """
    async with running(Counter) as server:
        ref = server.root.find("/residents/counter")
        assert [ref.cast(note(n)) for n in (1, 2)] == [True, True]

        assert await ref.call({"type": "seen"}) == [1, 2]
        count: int = await ref.call(GetCount(), timeout=5)
        assert count == 2
        assert await trio.to_thread.run_sync(ref.call_blocking, GetCount()) == 2


async def test_identity() -> None:
    """
    References to one slot are equal and hash alike; the repr says where it is and why it ended.
    """
    async with running(Counter) as server:
        ref, again = (server.root.find("/residents/counter") for _ in range(2))
        assert {ref: 1}[again] == 1
        assert ref == again
        assert ref != object()
        assert (ref.path, ref.alive) == ("/residents/counter", True)
        assert repr(ref) == "<ActorRef /residents/counter>"

    assert not ref.alive
    assert repr(ref) == "<ActorRef /residents/counter ended: shutdown>"


async def test_a_dead_reference() -> None:
    """
    After the end a cast is a dead letter, send and call raise ActorStopped at once.
    """
    async with running(Counter) as server:
        ref = server.root.find("/residents/counter")
        ref.stop("enough")
        await settle(lambda: not ref.alive)

        assert ref.cast(note(1)) is False
        (letter,) = happened(server, "message.dead_letter")
        assert letter.facts["reason"] == "the actor has ended (enough)"
        with pytest.raises(ActorStopped, match=r"has ended \(enough\); its reference stays dead"):
            await ref.send(note(1))
        with pytest.raises(ActorStopped):
            await ref.call(GetCount())
        with pytest.raises(ActorStopped):
            await trio.to_thread.run_sync(ref.call_blocking, GetCount())
        with pytest.raises(ActorStopped):
            await trio.to_thread.run_sync(ref.send_blocking, note(1))
        await settle(lambda: "/residents/counter" not in server.root._refs)
        with pytest.raises(ActorNotFound, match="no actor lives at '/residents/counter'"):
            server.root.find("/residents/counter")


async def test_send_waits_for_room() -> None:
    """
    With the policy `wait` a cast is refused and an event, a send waits and comes in order.
    """
    async with running(Counter) as server:
        ref = await fill(server)
        assert ref.cast(note("no")) is False
        assert len(happened(server, "mailbox.overflow")) == 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.send, note(3))
            await wait_all_tasks_blocked()
            instance(server).gate.set()

        assert await ref.call({"type": "seen"}) == [1, 2, 3]


async def test_a_cancelled_send_adds_nothing() -> None:
    """
    Cancelled while it waits for room, send leaves the message out.
    """
    async with running(Counter) as server:
        ref = await fill(server)
        with trio.move_on_after(0) as scope:
            await ref.send(note("no"))
        assert scope.cancelled_caught
        instance(server).gate.set()

        assert await ref.call({"type": "seen"}) == [1, 2]


async def test_send_blocking_waits_for_room() -> None:
    """
    From a thread send_blocking waits too, and gives up after its timeout.
    """
    async with running(Counter) as server:
        ref = await fill(server)
        with pytest.raises(CallTimeout, match=r"did not reply within 0.01 s"):
            await trio.to_thread.run_sync(ref.send_blocking, note("no"), 0.01)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, ref.send_blocking, note(3))
            await settle(lambda: ref._target.mailbox._room_waiters)
            instance(server).gate.set()

        assert await ref.call({"type": "seen"}) == [1, 2, 3]


@pytest.mark.parametrize("from_thread", [False, True])
async def test_drop_newest(from_thread: bool) -> None:
    """
    With drop_newest the new message is a dead letter and an event; a call fails.
    """
    async with running(counter(overflow="drop_newest")) as server:
        ref = await fill(server)
        if from_thread:
            assert await trio.to_thread.run_sync(ref.cast, note("no")) is False
            with pytest.raises(MailboxFull):
                await trio.to_thread.run_sync(ref.call_blocking, GetCount())
        else:
            await ref.send(note("no"))
            with pytest.raises(MailboxFull):
                await ref.call(GetCount())
        await drain(server)

        assert await ref.call({"type": "seen"}) == [1, 2]
        assert len(happened(server, "message.dead_letter")) == 2
        (overflow, _) = happened(server, "mailbox.overflow")
        assert overflow.facts == {"policy": "drop_newest", "capacity": 2}


@pytest.mark.parametrize("from_thread", [False, True])
async def test_drop_oldest(from_thread: bool) -> None:
    """
    With drop_oldest the oldest leaves as a dead letter; its caller, if it has one, is told.
    """
    async with running(counter(overflow="drop_oldest")) as server:
        ref = server.root.find("/residents/counter")
        ref.cast({"type": "block"})
        await settle(lambda: ref._target.mailbox.queued == 0)
        failed = trio.Event()

        async def caller() -> None:
            with pytest.raises(MailboxFull):
                await ref.call(GetCount())
            failed.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await settle(lambda: ref._target.mailbox.queued == 1)
            for n in (1, 2, 3):
                if from_thread:
                    assert await trio.to_thread.run_sync(ref.cast, note(n)) is True
                else:
                    assert ref.cast(note(n)) is True
            await failed.wait()
        await drain(server)

        assert await ref.call({"type": "seen"}) == [2, 3]
        letters = happened(server, "message.dead_letter")
        assert {letter.facts["reason"] for letter in letters} == {
            "dropped from a full mailbox, as the oldest"
        }
        assert len(letters) == 2


async def test_error() -> None:
    """
    With the policy `error` the sender gets MailboxFull, which says what to do.
    """
    async with running(counter(overflow="error")) as server:
        ref = await fill(server)
        with pytest.raises(MailboxFull, match=r"is full \(2 messages\). Drop the message, wait"):
            ref.cast(note("no"))
        with pytest.raises(MailboxFull):
            await ref.send(note("no"))
        await drain(server)

        assert await ref.call({"type": "seen"}) == [1, 2]


async def test_close() -> None:
    """
    With the policy `close` a full mailbox stops the actor.
    """
    async with running(counter(overflow="close", shutdown_seconds=0)) as server:
        ref = await fill(server)
        ended = watch(server, "slot.ended")
        assert ref.cast(note("no")) is False
        event = await ended.until()

        assert (event.facts["reason"], event.facts["code"]) == ("mailbox full", 1013)
