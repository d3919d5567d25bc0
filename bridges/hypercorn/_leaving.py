# How the tree finds the worker that it runs in, so that one process can be drained and replaced.
#
# hypercorn tells its application nothing of its worker's context before the first connection. The
# context is made before the lifespan begins, in the task that begins it, so it is found in the
# context (of contextvars) that the lifespan has inherited. Imports nothing of hypercorn's.

from contextvars import ContextVar
from multiprocessing import parent_process
from typing import Any

from ...supervisor import Root
from ...supervisor._way_out import WayOut

worker: ContextVar[Any] = ContextVar("greenroom_worker", default=None)
"""The context of the worker below which the caller runs, of hypercorn's WorkerContext."""


def offer_way_out(root: Root) -> None:
    """
    Tell *root* how its process ends in its own time, if its server offers that.

    As with ``max_requests``: the worker takes no more connections, the tree drains, and the process
    ends with status 0. A signal would not do: hypercorn ends all workers when one ends by a signal.
    """
    context = worker.get()
    if context is not None:
        # The command starts workers by multiprocessing, and another one for each that ends.
        root.bridged[WayOut] = WayOut(context.terminate.set, replaced=parent_process() is not None)
