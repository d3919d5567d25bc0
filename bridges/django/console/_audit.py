# The audit log: an entry is written before an action is begun, and completed when it is known what
# became of it. So one that was cut off by the end of its process is seen: it stays "begun".
#
# Old entries go when a new one is written, some at a time.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_audit.py:
#   BEFORE    nothing is done that could not be written down.
#   KEPT      what stands there names whoever did it, also when the account is gone.
#   BOUNDED   what is older than AUDIT_DAYS goes, so many at a time.

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connections, router, transaction
from django.utils import timezone

from .._settings import load_options
from ..models import AuditEntry

AT_ONCE = 500
"""Entries that are deleted when one is written."""
MIGRATE = "the tables of Greenroom are not there. Run `manage.py migrate greenroom`."

Due = Callable[[str, datetime, Iterable[tuple[str, datetime]]], bool]

logger = logging.getLogger("greenroom.django")


class NotRecorded(Exception):
    """An action could not be written down, so it was not begun; the text says what to do."""


def begin(user: Any, address: str, **what: object) -> AuditEntry:
    """
    Write down what is about to be done.

    Args:
        user: Who does it.
        address: From where.
        what: The fields of the entry: action, process, path, arguments, reason.

    Raises:
        NotRecorded: It can't be; nothing may be done.
    """
    entry = _entry(user, address, **what)
    alias = router.db_for_write(AuditEntry)
    try:
        with transaction.atomic(using=alias):  # or one that fails spoils the caller's transaction
            entry.save(using=alias, force_insert=True)
    except DatabaseError as error:
        if not is_migrated():
            raise NotRecorded(f"Nothing was done: {MIGRATE}") from error
        raise NotRecorded(f"Nothing was done: the audit log can't be written. {error}") from error
    return entry


def deny(user: Any, address: str, due: Due, span: timedelta, error: str, **what: object) -> bool:
    """
    Write down what somebody may not do, if that is due; say whether it was. Old entries go.

    Args:
        user: Who wanted it.
        address: From where.
        due: Says by the action, the moment, and what is told already, whether it is.
        span: How long before now an entry counts as told already.
        error: Why it was denied.
        what: The fields of the entry: action, process, path.
    """
    entry = _entry(user, address, outcome="denied", error=error, **what)
    alias = router.db_for_write(AuditEntry)
    told = AuditEntry.objects.using(alias).filter(
        user_key=entry.user_key, outcome=entry.outcome, at__gt=entry.at - span
    )
    entry.finished = entry.at
    try:
        if not due(entry.action, entry.at, told.values_list("action", "at")):
            return False
        with transaction.atomic(using=alias):
            entry.save(using=alias, force_insert=True)
        prune()
    except DatabaseError:
        if is_migrated():
            logger.exception("%s was denied, which the audit log could not be told", entry)
        return False
    return True


def _entry(user: Any, address: str, **fields: object) -> AuditEntry:
    return AuditEntry(
        at=timezone.now(),
        user_key=str(user.pk)[:255],
        user_name=str(user.get_username())[:255],
        address=address[:64],
        **fields,
    )


def complete(entry: AuditEntry, outcome: str, error: str, answer: Mapping[str, object]) -> bool:
    """Write down what became of it; say whether that could be written. Old entries go."""
    rows = AuditEntry.objects.using(router.db_for_write(AuditEntry)).filter(pk=entry.pk)
    try:
        rows.update(outcome=outcome, error=error, answer=answer, finished=timezone.now())
        prune()
    except DatabaseError:
        logger.exception("%s is %s, which the audit log could not be told", entry, outcome)
        return False
    return True


def prune() -> int:
    """Delete entries older than AUDIT_DAYS, the oldest, so many at a time; return how many."""
    days = load_options().audit_days
    if days is None:
        return 0
    alias = router.db_for_write(AuditEntry)
    old = AuditEntry.objects.using(alias).filter(at__lt=timezone.now() - timedelta(days=days))
    # By number first: not every database deletes with a limit.
    numbers = list(old.order_by("at").values_list("pk", flat=True)[:AT_ONCE])
    if not numbers:
        return 0
    return AuditEntry.objects.using(alias).filter(pk__in=numbers).delete()[0]


def is_migrated() -> bool:
    """Say whether the table of the log is there."""
    connection = connections[router.db_for_read(AuditEntry)]
    try:
        return AuditEntry._meta.db_table in connection.introspection.table_names()  # noqa: SLF001 - Django's API
    except DatabaseError:
        return True  # it is something else
