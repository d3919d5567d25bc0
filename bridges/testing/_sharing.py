# What a test of a Django project shares with the threads of its application; see
# bridges/django/_sharing.py. Without Django there is nothing to share.

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext

from ...actors._lowlevel import inside_trio


@contextmanager
def share_connections(*, in_memory: bool = False) -> Generator[None, None, None]:
    """
    Lend the calling thread's open transactions to all worker threads, for a block of a test.

    What the test wrote is there for handlers, views and async ORM work, and what they write is
    rolled back with the rest. One job at a time has the transaction. `serve` does this by itself;
    it is for async ORM work outside of it, and for servers that run in another thread.

    Databases on which this thread has no transaction are left alone, so behind
    ``django_db(transaction=True)`` each thread has its own connection, as in production.

    Args:
        in_memory: Lend SQLite databases in memory as well, with a transaction or without: two
            connections to one of them lock each other out at once, and wait for nothing.
    """
    if not _is_there():
        yield
        return
    from ..django._sharing import share_connections as share

    with share(in_memory=in_memory), lent_to_orm_thread() if _on_asyncio() else nullcontext():
        yield


@asynccontextmanager
async def borrowed_connections() -> AsyncGenerator[None, None]:
    """
    Do what `share_connections` does, for a test that is a coroutine on asyncio. A checkpoint.
    """
    if not _is_there():
        yield
        return
    from ..django._sharing import borrow_connections

    async with borrow_connections():
        yield


@contextmanager
def lent_to_orm_thread() -> Generator[None, None, None]:
    """Lend what is shared now to the thread of asyncio's async ORM work, too. Blocks a little."""
    if not _is_there():
        yield
        return
    from ..django._sharing import lent_to_orm_thread as lent

    with lent():
        yield


def _on_asyncio() -> bool:
    """Whether the caller is a coroutine on asyncio, whose ORM work is done in another thread."""
    if inside_trio():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_there() -> bool:
    return "django.db" in sys.modules and "greenroom.bridges.django" in sys.modules
