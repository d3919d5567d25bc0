# What worker threads do about database connections, around their jobs.
#
# Django ties its own rules to requests: old connections are closed when one starts and
# when one ends. A consumer has no requests, and its messages may come a thousand a
# second, so here the rules hang on jobs and on idleness:
#
#   before a job   a connection that had errors, or is past its CONN_MAX_AGE, is closed
#   after a job    with a connection pool of Django's (PostgreSQL, Oracle) it is returned;
#                  a job that failed has its connections looked at; a transaction left
#                  open is rolled back and reported, since it is a bug
#   idle (1 s)     CONN_MAX_AGE is applied: 0 closes. So a burst of messages pays for one
#                  connection, not for one a message. A connection that is not so old yet is
#                  closed when it is: the next job may be another thread's, for hours
#   at the end     all are closed. trio.to_thread's threads die with theirs open
#
# A job that begins inside a transaction keeps it: a test's, run in its own thread or lent to this
# one (_sharing.py).

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper

from ...actors import ThreadHooks, current_job
from ._sharing import Sharing, current_sharing, initialized_connections

logger = logging.getLogger("greenroom.django")

T = TypeVar("T")


class _AtStart(threading.local):
    """How this thread's job has found it."""

    sharing: Sharing | None = None
    inside: frozenset[str] = frozenset()
    """The aliases of the databases that it was inside a transaction of."""


_at_start = _AtStart()


def database_hooks() -> ThreadHooks:
    """Return the hooks that keep the database connections of a `ThreadPool` in order."""
    return ThreadHooks(
        before_job=_before_job,
        after_job=_after_job,
        on_idle=_close_what_is_old,
        on_exit=_close_all,
        may_park=_outside_transactions,
        goes_on=_have_turn_again,
    )


def in_transaction() -> bool:
    """Whether this thread's job has begun a transaction that is open."""
    inside = _at_start.inside
    return any(_in_transaction(each) and each.alias not in inside for each in _opened())


def _outside_transactions() -> bool:
    # What holds locks in the database must not wait for a place.
    if _at_start.sharing is not None:
        _at_start.sharing.let_others()
    return not any(_in_transaction(each) for each in _opened())


def _have_turn_again() -> bool:
    if _at_start.sharing is None:
        return False
    _at_start.sharing.have_turn()
    return True


def _in_transaction(connection: BaseDatabaseWrapper) -> bool:
    # Without a block, too: set_autocommit(False).
    return connection.in_atomic_block or not (
        connection.autocommit or not connection.settings_dict["AUTOCOMMIT"]
    )


def _opened() -> list[BaseDatabaseWrapper]:
    # One that went back to its pool inside a transaction is gone, but the wrapper is still inside
    # and refuses whoever comes next.
    return [
        connection
        for connection in initialized_connections()
        if connection.connection is not None or connection.in_atomic_block
    ]


def _each(act: Callable[[BaseDatabaseWrapper, T], object], told: T) -> None:
    """Do *act* with each connection; one that raises must not leave the next as it is."""
    errors: list[Exception] | None = None
    for connection in _opened():
        try:
            act(connection, told)
        except Exception as error:  # noqa: BLE001 - raised below
            errors = [*(errors or ()), error]
    if errors is not None:
        raise ExceptionGroup("connections could not be put in order", errors)


def _before_job() -> None:
    sharing = current_sharing()
    if sharing is not None:
        _at_start.sharing = sharing
        sharing.lend()
    _each(_make_ready, None)


def _make_ready(connection: BaseDatabaseWrapper, _: None) -> None:
    if connection.in_atomic_block:
        _at_start.inside |= {connection.alias}
    elif _at_start.sharing is None or not _at_start.sharing.lends(connection):  # a test looks to it
        _close_if_broken(connection, aged=connection.settings_dict["CONN_MAX_AGE"] != 0)


def _after_job(error: BaseException | None) -> None:
    try:
        _each(_put_in_order, error)
    finally:
        if _at_start.inside:
            _at_start.inside = frozenset()
        sharing = _at_start.sharing
        if sharing is not None:
            _at_start.sharing = None
            sharing.give_back()


def _put_in_order(connection: BaseDatabaseWrapper, error: BaseException | None) -> None:
    if _in_transaction(connection):
        if connection.alias not in _at_start.inside:
            _roll_back(connection)
    elif connection.settings_dict["OPTIONS"].get("pool"):
        connection.close()
    elif error is not None:
        _close_if_broken(connection, aged=False)


def _close_all() -> None:
    _each(_close_for_good, None)


def _close_for_good(connection: BaseDatabaseWrapper, _: None) -> None:
    connection.close()
    # A SQLite database in memory, of tests: Django keeps it, but this thread is gone for good.
    BaseDatabaseWrapper.close(connection)


def _close_what_is_old() -> float | None:
    """Close what is old; return in how many seconds there is more to close."""
    _each(_close_if_old, None)
    ages = [each.close_at for each in _opened() if each.close_at is not None]
    return min(ages) - time.monotonic() if ages else None


def _close_if_old(connection: BaseDatabaseWrapper, _: None) -> None:
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def _close_if_broken(connection: BaseDatabaseWrapper, *, aged: bool) -> None:
    close_at = connection.close_at
    if not aged:
        connection.close_at = None  # CONN_MAX_AGE = 0 is applied when the thread is idle
    try:
        connection.close_if_unusable_or_obsolete()
    finally:
        if not aged:
            connection.close_at = close_at


def _roll_back(connection: BaseDatabaseWrapper) -> None:
    job = current_job()
    logger.error(
        "%s ended inside a transaction on database %r; it is rolled back. Use"
        " `with transaction.atomic():` and let no block outlive the handler.",
        job.label if job else "a job",
        connection.alias,
    )
    if connection.closed_in_transaction:
        # It was closed inside the block, as Django does at a request's end; and what is
        # closed so stays unusable for this thread. connect() resets the rest.
        connection.closed_in_transaction = False
        connection.connection = None
    connection.in_atomic_block = False  # so that close() closes
    connection.close()
