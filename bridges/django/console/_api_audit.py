# The audit log as data: what was done by hand, and by whom. It is read from the database, so the
# processes are not asked.

import re
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from ._api_actions import refuse_uninstalled
from ._api_gate import Asker, api_view
from ._api_query import Parameter, read
from ._api_reply import Refused, reply
from ._api_table import AUDIT

MOST = 500
_CURSOR = re.compile(r"[0-9]{1,18}\Z")

AUDIT_PARAMETERS = (
    Parameter("after", "text", "What the answer's `next` said: the page behind that one."),
    Parameter("limit", "whole", f"How many entries; 50 if left out, {MOST} at most."),
    Parameter("user", "text", "Only what this user did, by name."),
    Parameter("action", "text", "Only this action."),
    Parameter("path", "text", "Only what was done to this place."),
    Parameter("outcome", "text", "Only with this outcome, such as denied."),
)
"""What may stand in the query string."""

_FILTERS = {"user": "user_name", "action": "action", "path": "path", "outcome": "outcome"}


@api_view(permission=AUDIT)
def audit_view(request: HttpRequest, asker: Asker) -> HttpResponse:
    """Answer with a page of the audit log, the latest first."""
    given: dict[str, Any] = dict(read(request.GET.lists(), AUDIT_PARAMETERS))
    limit = given.get("limit", 50)
    if not 1 <= limit <= MOST:
        raise Refused("bad-question", f"limit must be from 1 to {MOST}. Got: {limit}")
    after = given.get("after")
    if after is not None and not _CURSOR.match(after):
        raise Refused(
            "bad-question", f"after must be what an answer's next said. Got: {after[:100]!r}"
        )
    refuse_uninstalled()
    from ..models import AuditEntry  # only where the app is installed

    entries = AuditEntry.objects.order_by("-pk")
    if after is not None:
        entries = entries.filter(pk__lt=int(after))
    entries = entries.filter(
        **{field: given[name] for name, field in _FILTERS.items() if name in given}
    )
    try:
        found = list(entries[: limit + 1])
    except DatabaseError as error:
        raise Refused(
            "unavailable", f"The audit log can't be read; is `migrate` done? {type(error).__name__}"
        ) from None
    page = found[:limit]
    following = str(page[-1].pk) if len(found) > limit else None
    return reply({"entries": [_shown(entry) for entry in page], "next": following})


def _shown(entry: Any) -> dict[str, object]:
    return {
        "id": entry.pk,
        "at": entry.at.timestamp(),
        "finished": None if entry.finished is None else entry.finished.timestamp(),
        "user": entry.user_name,
        "address": entry.address,
        "action": entry.action,
        "process": entry.process,
        "path": entry.path,
        "arguments": entry.arguments,
        "reason": entry.reason,
        "outcome": entry.outcome,
        "error": entry.error,
        "answer": entry.answer,
    }
