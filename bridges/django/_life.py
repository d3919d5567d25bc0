# What a DjangoApplication has while one server runs it: threads, and the requests under way.
#
# The same application may be run by several at once, in one loop or in several, as by the drivers
# and communicators of a test. What one of them ends is its own, and nobody else's.

from ...actors import ThreadPool
from ...actors._lowlevel import LoopThread
from ...supervisor import Options
from ._database import database_hooks
from ._exchange import Exchange
from ._lookout import Lookout


class Life:
    """
    One life of an application; made on the loop's thread.

    Args:
        options: How many threads it has, and how long their end may take.
        root: The tree that runs it; None if it is served by itself.
    """

    def __init__(self, options: Options, root: object = None) -> None:
        self.root, self.loop = root, LoopThread.current()
        self.shutdown_seconds = options.shutdown_seconds
        self.pool = ThreadPool(
            "views", options.view_threads, hooks=database_hooks(), spare=options.parked_threads
        )
        self.exchanges: set[Exchange] = set()
        """Of the jobs that run or wait."""
        self.lookout = Lookout()
