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

import threading
from collections.abc import Generator
from contextlib import contextmanager

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
        self._owner = threading.get_ident()
        self._changed = threading.Condition()
        self._holder = 0  # the thread, as get_ident() gives it
        self._own = threading.local()

    def lend(self) -> None:
        """Give the calling thread's job the connections, when its turn has come."""
        if threading.get_ident() == self._owner:
            return
        self.have_turn()
        have = {each.alias: each for each in connections.all(initialized_only=True)}
        self._own.before = {alias: have.get(alias) for alias in self._lent}
        for alias, connection in self._lent.items():
            connections[alias] = connection

    def have_turn(self) -> None:
        """Wait until no other thread has them, since the calling thread's job goes on."""
        me = threading.get_ident()
        if me == self._owner:
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
        """Put back what the calling thread had before."""
        before: dict[str, BaseDatabaseWrapper | None] | None = getattr(self._own, "before", None)
        if before is None:
            return
        self._own.before = None
        for alias, own in before.items():
            if own is None:
                del connections[alias]
            else:
                connections[alias] = own
        self.let_others()


class _Current:
    sharing: Sharing | None = None


def current_sharing() -> Sharing | None:
    """Return what is shared now, or None."""
    return _Current.sharing


@contextmanager
def share_connections() -> Generator[None, None, None]:
    """
    Lend the calling thread's open transactions to all worker threads, for a test.

    Databases on which this thread has none are left alone, so with ``transaction=True`` nothing
    is shared. Inside another such block it does nothing.
    """
    lent = {
        each.alias: each for each in connections.all(initialized_only=True) if each.in_atomic_block
    }
    if not lent or _Current.sharing is not None:
        yield
        return
    for connection in lent.values():
        connection.inc_thread_sharing()
    # Django's own test client does the same: a request would close them, transaction and all.
    signals = [each for each in _SIGNALS if each.disconnect(close_old_connections)]
    _Current.sharing = Sharing(lent)
    try:
        yield
    finally:
        _Current.sharing = None
        for signal in signals:
            signal.connect(close_old_connections)
        for connection in lent.values():
            connection.dec_thread_sharing()
