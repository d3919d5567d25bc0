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
#                  connection, not for one a message
#   at the end     all are closed. trio.to_thread's threads die with theirs open
#
# A job that begins inside a transaction keeps it: a test's, run in its own thread or lent to this
# one (_sharing.py).

import logging
import threading
from collections.abc import Callable, Container, Iterator
from functools import partial

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ...actors import ThreadHooks, current_job
from ._sharing import current_sharing

logger = logging.getLogger("greenroom.django")

_at_start = threading.local()


def database_hooks() -> ThreadHooks:
    """Return the hooks that keep the database connections of a `ThreadPool` in order."""
    return ThreadHooks(
        before_job=_before_job,
        after_job=_after_job,
        on_idle=_close_what_is_old,
        on_exit=_close_all,
        may_park=_outside_transactions,
    )


def in_transaction() -> bool:
    """Whether this thread's job has begun a transaction that is open."""
    inside: set[str] = getattr(_at_start, "inside", set())
    return any(_in_transaction(each) and each.alias not in inside for each in _opened())


def _outside_transactions() -> bool:
    # What holds locks in the database must not wait for a place.
    sharing = getattr(_at_start, "sharing", None)
    if sharing is not None:
        sharing.let_others()
    return not any(_in_transaction(each) for each in _opened())


def _in_transaction(connection: BaseDatabaseWrapper) -> bool:
    # Without a block, too: set_autocommit(False).
    return connection.in_atomic_block or not (
        connection.autocommit or not connection.settings_dict["AUTOCOMMIT"]
    )


def _opened() -> Iterator[BaseDatabaseWrapper]:
    # One that went back to its pool inside a transaction is gone, but the wrapper is still inside
    # and refuses whoever comes next.
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None or connection.in_atomic_block:
            yield connection


def _each(act: Callable[[BaseDatabaseWrapper], object]) -> None:
    """Do *act* with each connection; one that raises must not leave the next as it is."""
    errors: list[Exception] = []
    for connection in _opened():
        try:
            act(connection)
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("connections could not be put in order", errors)


def _before_job() -> None:
    _at_start.sharing = sharing = current_sharing()
    if sharing is not None:
        sharing.lend()
    _at_start.inside = inside = set[str]()
    _each(partial(_make_ready, inside))


def _make_ready(inside: set[str], connection: BaseDatabaseWrapper) -> None:
    if connection.in_atomic_block:
        inside.add(connection.alias)
    else:
        _close_if_broken(connection, aged=connection.settings_dict["CONN_MAX_AGE"] != 0)


def _after_job(error: BaseException | None) -> None:
    try:
        _each(partial(_put_in_order, getattr(_at_start, "inside", ()), error))
    finally:
        _at_start.inside = set[str]()
        sharing, _at_start.sharing = getattr(_at_start, "sharing", None), None
        if sharing is not None:
            sharing.give_back()


def _put_in_order(
    inside: Container[str], error: BaseException | None, connection: BaseDatabaseWrapper
) -> None:
    if _in_transaction(connection):
        if connection.alias not in inside:
            _roll_back(connection)
    elif connection.settings_dict["OPTIONS"].get("pool"):
        connection.close()
    elif error is not None:
        _close_if_broken(connection, aged=False)


def _close_all() -> None:
    _each(_close_for_good)


def _close_for_good(connection: BaseDatabaseWrapper) -> None:
    connection.close()
    # A SQLite database in memory, of tests: Django keeps it, but this thread is gone for good.
    BaseDatabaseWrapper.close(connection)


def _close_what_is_old() -> None:
    _each(_close_if_old)


def _close_if_old(connection: BaseDatabaseWrapper) -> None:
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
