# How a tree finds the worker that it runs in: see bridges/hypercorn/_leaving.py.

import trio
from hypercorn.trio import run

from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.hypercorn import _leaving
from greenroom.bridges.hypercorn._leaving import offer_way_out
from greenroom.bridges.hypercorn._worker import KnownContext
from greenroom.supervisor import Root
from greenroom.supervisor._way_out import WayOut


async def test_below_no_worker() -> None:
    """
    A tree below no worker has no way out.
    """
    root = Root(LocalEngine())
    offer_way_out(root)
    assert WayOut not in root.bridged


async def test_below_a_worker() -> None:
    """
    The lifespan's task, which is begun after the context was made, finds it; others do not.
    """
    root = Root(LocalEngine())

    async def worker() -> None:
        context = run.WorkerContext(None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lifespan, context)

    async def lifespan(context: KnownContext) -> None:
        offer_way_out(root)
        way = root.bridged[WayOut]
        assert way.replaced is False  # this process was started by nobody's multiprocessing
        await way.leave()
        assert context.terminate.is_set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker)
    assert WayOut in root.bridged
    assert _leaving.worker.get() is None
