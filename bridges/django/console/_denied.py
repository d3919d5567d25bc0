# Who wanted something done that he may not: a line in the log each time, and an entry in the audit
# log now and then, so that nobody fills it with what never was. Who is no member of staff, and
# bears no token, has no entry: he has come nowhere near.
#
# Pure is when an entry is due (`is_due`).
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_denied.py:
#   SEEN      who is denied an action stands in the audit log, with what he wanted.
#   BOUNDED   again and again is one entry a minute of each action, and so many an hour in all.
#   NO OTHER  an entry that can't be written changes nothing for who is denied.

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps

from ....supervisor._events import printable

AGAIN = timedelta(minutes=1)
"""How long after an entry there is no other of the same user and action."""
SPAN = timedelta(hours=1)
MOST = 30
"""Entries within SPAN that what one user tries may make."""

_NAME = "greenroom.bridges.django"

logger = logging.getLogger("greenroom.django")


def is_due(action: str, now: datetime, told: Iterable[tuple[str, datetime]]) -> bool:
    """
    Say whether a denied action is worth an entry.

    Args:
        action: What was denied.
        now: When.
        told: The entries of the same user within SPAN before: their actions, and when that was.
    """
    known = list(told)
    return len(known) < MOST and all(name != action or now - at >= AGAIN for name, at in known)


def tell_denied(
    user: Any, address: str, action: str, codename: str, aimed: Mapping[str, object]
) -> None:
    """
    Log that somebody has tried to act without the permission, and write it down if that is due.

    Args:
        user: Who: a user, or what stands for a token.
        address: From where.
        action: What he wanted done.
        codename: What he lacks.
        aimed: To what, as he said it: process, path, user.
    """
    logger.warning(
        "%s, from %s, wanted %s done without the permission greenroom.%s; nothing was done",
        printable(str(user.get_username())),
        printable(address) or "an unknown address",
        action,
        codename,
    )
    if not apps.is_installed(_NAME):  # as for tokens without the console: there is no table
        return
    from . import _audit  # it imports models

    process, path = _fit(aimed.get("process"), 255), _fit(aimed.get("path"), 500)
    if wanted := _fit(aimed.get("user"), 490):
        path = f"user {wanted}"
    error = f"without the permission greenroom.{codename}"
    _audit.deny(user, address, is_due, SPAN, error, action=action, process=process, path=path)


def _fit(value: object, most: int) -> str:
    """Return what somebody said as a text that every database takes; "" for what is none."""
    return printable(value, most)[:most] if isinstance(value, str) else ""
