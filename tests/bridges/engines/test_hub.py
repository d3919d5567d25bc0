# One thread for what a process keeps open: callers on any loop, in any thread, after a fork.

import asyncio
import os
import threading
import warnings

import pytest
import trio

from greenroom.bridges.engines._hub import Hub, current_hub


async def answer() -> str:
    await trio.sleep(0)
    return threading.current_thread().name


async def fail() -> None:
    raise ValueError("no")


async def test_outcome_on_trio() -> None:
    """
    On trio a call returns or raises what its function does, in the hub's thread.
    """
    hub = Hub()

    assert await hub.call(answer) == "greenroom-hub"
    with pytest.raises(ValueError, match="no"):
        await hub.call(fail)


def test_outcome_on_asyncio() -> None:
    """
    On asyncio it does the same, and two loops share the one thread.
    """
    hub = Hub()

    async def main() -> str:
        with pytest.raises(ValueError, match="no"):
            await hub.call(fail)
        return await hub.call(answer)

    assert {asyncio.run(main()), asyncio.run(main())} == {"greenroom-hub"}
    assert threading.active_count() >= 2


def test_outcome_in_a_thread() -> None:
    """
    A thread without a loop blocks for the outcome, and for no longer than it may.
    """
    hub = Hub()

    assert hub.call_blocking(answer, timeout=10) == "greenroom-hub"
    with pytest.raises(ValueError, match="no"):
        hub.call_blocking(fail, timeout=10)
    with pytest.raises(TimeoutError):
        hub.call_blocking(trio.sleep_forever, timeout=0)


async def test_a_blocking_call_on_trio_is_refused() -> None:
    """
    In trio's thread a blocking call is refused, with what to write instead.
    """
    with pytest.raises(RuntimeError, match="await the method without _blocking"):
        Hub().call_blocking(answer, timeout=1)


async def test_cancelled() -> None:
    """
    A cancelled call cancels its function.
    """
    hub, begun, ended = Hub(), threading.Event(), threading.Event()

    async def wait() -> None:
        try:
            begun.set()
            await trio.sleep_forever()
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.call, wait)
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel()

    assert await trio.to_thread.run_sync(ended.wait, 10)


def test_what_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    """
    A failure in the background is logged, and the end of a process can wait for the rest.
    """
    hub, done = Hub(), list[str]()

    async def work() -> None:
        await trio.sleep(0)
        done.append("done")

    hub.later(fail)
    hub.later(work)

    assert hub.wait_idle(10)
    assert done == ["done"]
    assert [str((record.exc_info or [None] * 2)[1]) for record in caplog.records] == ["no"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork() -> None:
    """
    A child has a hub of its own, with a thread that lives.
    """
    hub = current_hub()
    hub.call_blocking(answer, timeout=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if child == 0:
        try:
            fresh = current_hub()
            works = fresh is not hub and fresh.call_blocking(answer, timeout=10) == "greenroom-hub"
            os._exit(0 if works else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_hub_that_ends_fails_its_calls() -> None:
    """
    What was called when the hub ends raises, and does not look done; the next call starts it anew.
    """
    hub = Hub()
    begun = threading.Event()
    outcomes: list[object] = []

    async def wait() -> None:
        begun.set()
        await trio.sleep_forever()

    def call() -> None:
        try:
            outcomes.append(hub.call_blocking(wait, timeout=20))
        except RuntimeError as error:
            outcomes.append(str(error))

    async def leave() -> None:
        raise SystemExit

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(20)
    hub.spawn(leave)
    thread.join(20)

    assert outcomes == ["the hub ended before the call did"]
    while "not started" not in repr(hub):
        thread.join(0.01)
    assert hub.call_blocking(answer, timeout=10) == "greenroom-hub"
