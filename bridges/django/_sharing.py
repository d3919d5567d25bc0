# One test, one transaction, many threads.
#
# Django's TestCase and pytest-django's `db` open a transaction in the test's own thread and roll
# it back afterwards. A worker thread has a connection of its own: it sees nothing of that, and
# what it writes stays. So, while a block of share_connections() runs, each job is lent the test's
# connections, and gives them back behind it.
#
# One job at a time has them, since a transaction's savepoints are a stack. A job that waits for
# something else (`Job.parked`: for an actor's answer, for async code, for a slow client) lets the
# next one in; else a view that calls a `def` handler would wait for ever. To go on it waits for its
# turn again. The test's own thread asks for no leave.

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_SIGNALS = (request_started, request_finished)


class Sharing:
    """
    The connections of one thread, lent to the jobs of all others.

    Args:
        lent: What is lent, by alias. They belong to the calling thread.
    """

    def __init__(self, lent: dict[str, BaseDatabaseWrapper]) -> None:
        self._lent = lent
        self._tests = {threading.get_ident()}  # the threads of the test itself
        self._changed = threading.Condition()
        self._holder = 0  # the thread, as get_ident() gives it
        self._own = threading.local()

    def lends(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether *connection* is one of the test's."""
        return self._lent.get(connection.alias) is connection

    def lend(self) -> None:
        """Give the calling thread's job the connections, when its turn has come."""
        if threading.get_ident() in self._tests:
            return
        self.have_turn()
        self._put()

    def lend_to_test(self) -> None:
        """
        Give the calling thread the connections, as one of the test's: it asks for no leave.

        It has them until :meth:`take_from_test` was called as often.
        """
        self._own.times = getattr(self._own, "times", 0) + 1
        if threading.get_ident() not in self._tests:
            self._put()
            self._tests.add(threading.get_ident())

    def take_from_test(self) -> None:
        """Put back what the calling thread had before :meth:`lend_to_test`, if it was lent any."""
        self._own.times -= 1
        if not self._own.times and getattr(self._own, "before", None) is not None:
            self._tests.discard(threading.get_ident())
            self._put_back()

    def _put(self) -> None:
        have = {each.alias: each for each in connections.all(initialized_only=True)}
        self._own.before = {alias: have.get(alias) for alias in self._lent}
        for alias, connection in self._lent.items():
            connections[alias] = connection

    def have_turn(self) -> None:
        """Wait until no other thread has them, since the calling thread's job goes on."""
        me = threading.get_ident()
        if me in self._tests:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._holder in (0, me))
            self._holder = me

    def let_others(self) -> None:
        """Let the next job have them, too, because the calling thread's is about to wait."""
        with self._changed:
            if self._holder == threading.get_ident():
                self._holder = 0
                self._changed.notify()

    def give_back(self) -> None:
        """Put back what the calling thread's job had before."""
        if threading.get_ident() not in self._tests and self._put_back():
            self.let_others()

    def _put_back(self) -> bool:
        before: dict[str, BaseDatabaseWrapper | None] | None = getattr(self._own, "before", None)
        if before is None:
            return False
        self._own.before = None
        for alias, own in before.items():
            if own is None:
                del connections[alias]
            else:
                connections[alias] = own
        return True


class _Current:
    sharing: Sharing | None = None


def current_sharing() -> Sharing | None:
    """Return what is shared now, or None."""
    return _Current.sharing


@contextmanager
def share_connections(*, in_memory: bool = False) -> Generator[None, None, None]:
    """
    Lend the calling thread's open transactions to all worker threads, for a test.

    Databases on which this thread has none are left alone, so with ``transaction=True`` nothing
    is shared. Inside another such block it does nothing.

    Args:
        in_memory: Lend SQLite databases in memory as well, with a transaction or without: two
            connections to one of them lock each other out at once, and wait for nothing.
    """
    lent = lendable(in_memory=in_memory)
    if not lent or _Current.sharing is not None:
        yield
        return
    with _lending(lent):
        yield


@asynccontextmanager
async def borrow_connections() -> AsyncGenerator[None, None]:
    """
    Do what :func:`share_connections` does, for a test that is a coroutine on asyncio.

    It may be that the loop's thread has the transaction (pytest-asyncio with ``db``), or the
    thread in which its async ORM work is done (an ``async def`` test of Django's ``TestCase``).
    Both have it meanwhile. A checkpoint.
    """
    if _Current.sharing is not None:  # the whole test is inside of one
        async with _also_in_orm_thread(_Current.sharing):
            yield
        return
    lent = lendable(in_memory=True) or await sync_to_async(lendable)(in_memory=True)
    if not lent:
        yield
        return
    with _lending(lent) as sharing:
        async with _also_in_orm_thread(sharing):
            yield


@contextmanager
def lent_to_orm_thread() -> Generator[None, None, None]:
    """
    Lend what is shared now to the thread in which a test on asyncio has its ORM work done.

    For fixtures that are plain functions, where the loop does not run yet. Blocks a little.
    """
    sharing = _Current.sharing
    if sharing is None:
        yield
        return
    executor = cast("Any", SyncToAsync).single_thread_executor
    executor.submit(sharing.lend_to_test).result()
    try:
        yield
    finally:
        executor.submit(sharing.take_from_test).result()


def initialized_connections() -> Iterable[BaseDatabaseWrapper]:
    """
    Return the calling thread's connections.

    ``connections.all(initialized_only=True)`` asks at each step whether an asyncio loop runs here,
    and finds nothing if one does; and this is had for a tenth of its price.
    """
    storage = getattr(cast("Any", connections)._connections, "_storage", None)  # noqa: SLF001
    if not isinstance(storage, threading.local):  # another asgiref
        return connections.all(initialized_only=True)
    return [each for each in vars(storage).values() if isinstance(each, BaseDatabaseWrapper)]


def lendable(*, in_memory: bool) -> dict[str, BaseDatabaseWrapper]:
    """Return the calling thread's connections that a test has reason to lend, by alias."""
    return {
        each.alias: each
        for each in initialized_connections()
        if each.in_atomic_block or (in_memory and _is_in_memory(each))
    }


def _is_in_memory(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor == "sqlite" and cast("Any", connection).is_in_memory_db()


@asynccontextmanager
async def _also_in_orm_thread(sharing: Sharing) -> AsyncGenerator[None, None]:
    await sync_to_async(sharing.lend_to_test)()
    try:
        yield
    finally:
        # Not awaited in a cancelled task's stead: the executor does it, and the next test's work
        # comes behind it.
        await asyncio.shield(sync_to_async(sharing.take_from_test)())


@contextmanager
def _lending(lent: dict[str, BaseDatabaseWrapper]) -> Generator[Sharing, None, None]:
    for connection in lent.values():
        connection.inc_thread_sharing()
    # Django's own test client does the same: a request would close them, transaction and all.
    signals = [each for each in _SIGNALS if each.disconnect(close_old_connections)]
    sharing = _Current.sharing = Sharing(lent)
    try:
        yield sharing
    finally:
        _Current.sharing = None
        for signal in signals:
            signal.connect(close_old_connections)
        for connection in lent.values():
            connection.dec_thread_sharing()
