# What a test of a Django project shares with the threads of its application; see
# bridges/django/_sharing.py. Without Django there is nothing to share.

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def share_connections() -> Generator[None, None, None]:
    """
    Lend the calling thread's open transactions to all worker threads, for a block of a test.

    What the test wrote is there for handlers, views and async ORM work, and what they write is
    rolled back with the rest. One job at a time has the transaction. `serve` does this by itself;
    it is for async ORM work outside of it, and for servers that run in another thread.

    Databases on which this thread has no transaction are left alone, so behind
    ``django_db(transaction=True)`` each thread has its own connection, as in production.
    """
    if "django.db" not in sys.modules or "greenroom.bridges.django" not in sys.modules:
        yield
        return
    from ..django._sharing import share_connections as share

    with share():
        yield
