# Hearing at once that hypercorn's worker ends.

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
