# Hearing at once that hypercorn's worker ends.

from functools import partial

import trio
import trio.testing
from hypercorn.trio.worker_context import WorkerContext

from greenroom.bridges.hypercorn._worker import WorkerEnd


async def test_who_wants_to_know_is_called_once() -> None:
    """
    Setting what hypercorn sets calls each function once, however often it was given.
    """
    context, calls = WorkerContext(None), list[str]()

    def stop() -> None:
        calls.append("stop")

    for _ in range(3):
        WorkerEnd.of(context).call(stop)
    assert calls == []
    await context.terminated.set()
    await context.terminated.set()

    assert calls == ["stop"]
    assert context.terminated.is_set()
    await context.terminated.wait()


async def test_who_comes_late_is_called_at_once() -> None:
    """
    A worker that has ended before anybody looked at it is one that ends now.
    """
    context, calls = WorkerContext(None), list[str]()
    await context.terminated.set()
    WorkerEnd.of(context).call(lambda: calls.append("late"))

    assert calls == ["late"]
    assert WorkerEnd.of(context).is_set()


async def test_who_is_shielded_is_told_of_a_cancellation() -> None:
    """
    When the connections' nursery is cancelled each is told once, also one that comes behind it.
    """
    end, told = WorkerEnd.of(WorkerContext(None)), list[str]()

    async def connection(name: str, *, late: bool) -> None:
        heard = trio.Event()

        def tell() -> None:
            told.append(name)
            heard.set()

        end.watch()
        with trio.CancelScope(shield=True):
            if late:
                await trio.testing.wait_all_tasks_blocked()
            end.on_cancel(tell)
            await heard.wait()
        end.not_on_cancel(tell)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(connection, "there", late=False))
        nursery.start_soon(partial(connection, "on its way", late=True))
        await trio.sleep(0)
        nursery.cancel_scope.cancel()

    assert sorted(told) == ["on its way", "there"]


async def test_the_watch_ends_with_the_worker() -> None:
    """
    A worker that has ended, and has no connection left, has no task of ours left either.
    """
    end = WorkerEnd.of(WorkerContext(None))

    async def connection() -> None:
        end.watch()
        end.on_cancel(print)
        await end.wait()
        end.not_on_cancel(print)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection)
            await trio.testing.wait_all_tasks_blocked()
            await end.set()
