# Waiting for an end outside of actors, on trio and in threads.

import pytest
import trio
from helpers import running, settle
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorRef,
    SelfWait,
    StillAlive,
    WebsocketConsumer,
    WrongSide,
    handles,
)


class Target(Actor):
    @handles("itself")
    async def on_itself(self, message):
        with pytest.raises(SelfWait, match=r"/residents/target waited for its own end.*self\.stop"):
            await self.ref.wait_ended(60)
        return True

    @handles("itself in a thread")
    def in_thread(self, message):
        with pytest.raises(SelfWait):
            self.ref.wait_ended_blocking(60)
        return True


async def test_an_end_is_waited_for() -> None:
    """
    It returns how the slot has ended: when it ends, and at once if it has, with any timeout.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert (await ref.wait_ended(float("inf"))).reason == "enough"

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            ref.stop("enough")
        down = await ref.wait_ended(0)
        assert (down.ref, down.path, down.kind) == (ref, "/residents/target", "stopped")
        assert await trio.to_thread.run_sync(ref.wait_ended_blocking, 0) == down


async def test_the_deadline(autojump_clock: MockClock) -> None:
    """
    Who has not ended in time is named, with the seconds; it is a TimeoutError, too.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        told = r"/residents/target has not ended within 7 s"
        began = trio.current_time()
        with pytest.raises(StillAlive, match=told) as refused:
            await ref.wait_ended(7)

        assert round(trio.current_time() - began) == 7
        assert isinstance(refused.value, TimeoutError)
        assert repr(server.root.monitors) == "<Monitors 0 watched>"


async def test_the_deadline_in_a_thread() -> None:
    """
    In a thread it is the same, and nothing is left behind.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        with pytest.raises(StillAlive, match="within 0 s"):
            await trio.to_thread.run_sync(ref.wait_ended_blocking, 0)
        assert repr(server.root.monitors) == "<Monitors 0 watched>"


async def test_a_thread_is_woken() -> None:
    """
    A thread that waits, however long it would, goes on when the slot has ended.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                down = await trio.to_thread.run_sync(ref.wait_ended_blocking, float("inf"))
                assert down.reason == "enough"

            nursery.start_soon(wait)
            await settle(lambda: repr(server.root.monitors) == "<Monitors 1 watched>")
            ref.stop("enough")


async def test_cancelled_it_leaves_nothing() -> None:
    """
    A cancellation while it waits leaves nobody in the table.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.wait_ended(60)

        assert scope.cancelled_caught
        assert repr(server.root.monitors) == "<Monitors 0 watched>"


async def test_each_side_refuses_the_other() -> None:
    """
    Used on the wrong side, each raises at once and names the other.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        with pytest.raises(WrongSide, match=r"await ref\.wait_ended\(\.\.\.\)"):
            ref.wait_ended_blocking(1)

        def wrong(ref: ActorRef) -> None:
            with pytest.raises(WrongSide, match=r"ref\.wait_ended_blocking\(\.\.\.\)"):
                ref.wait_ended(1)
            with pytest.raises(TypeError, match="timeout must be a number"):
                ref.wait_ended_blocking("1")  # type: ignore[arg-type]

        await trio.to_thread.run_sync(wrong, ref)


async def test_nobody_waits_for_itself() -> None:
    """
    An actor that waits for its own end is told that it would wait in vain.
    """
    async with running(Target) as server:
        ref = server.root.find("/residents/target")
        assert await ref.call({"type": "itself"}, timeout=60)
        assert await ref.call({"type": "itself in a thread"}, timeout=60)


async def test_a_request_may_be_waited_for() -> None:
    """
    The reference of an HTTP request ends with it, and a failed one says what it failed with.
    """
    refs: list[ActorRef] = []

    async def view(scope, receive, send):
        [path] = server.root.connections.left()
        refs.append(server.root.find(path))
        raise ValueError("no room")

    async with running(http=view, echo=WebsocketConsumer) as server:
        await server.http("GET", "/")
        down = await refs[0].wait_ended(60)

    assert (down.kind, down.error) == ("crashed", "ValueError: no room")
