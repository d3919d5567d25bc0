# The audit log as a page: who did what, when, to what, and what became of it; the newest first.
#
# Paged by the entries' numbers, not by counting: the log may be long.

from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, date, datetime, time
from typing import Any, NamedTuple, cast

from django.contrib.admin import AdminSite
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_date

from ..models import OUTCOMES, AuditEntry
from ._actions import ACTIONS
from ._audit import MIGRATE, is_migrated
from ._page import link, places
from ._user_names import named, names_of
from ._view import APP, console_view
from ._words import told

PAGE = 50
_MOST = 500


class AuditQuery(NamedTuple):
    """What of the log is looked for."""

    who: str = ""
    action: str = ""
    outcome: str = ""
    path: str = ""
    since: date | None = None
    until: date | None = None
    before: int | None = None

    @classmethod
    def read(cls, given: QueryDict) -> "AuditQuery":
        """Return what *given* asks for; what makes no sense asks for nothing."""
        action, outcome = given.get("action", ""), given.get("outcome", "")
        before = given.get("before", "")
        return cls(
            who=_text(given, "who"),
            action=action if action in ACTIONS else "",
            outcome=outcome if outcome in dict(OUTCOMES) else "",
            path=_text(given, "path"),
            since=_date(given.get("since", "")),
            until=_date(given.get("until", "")),
            # No number of an entry has more digits; a larger one is refused by some databases.
            before=int(before)
            if before.isascii() and before.isdigit() and len(before) < 19
            else None,
        )

    def params(self) -> dict[str, object]:
        """Return it as the parameters of a URL, but for where the page begins."""
        return {name: value for name, value in self._asdict().items() if value and name != "before"}

    def entries(self) -> "QuerySet[AuditEntry]":
        """Return the entries, the newest first."""
        found = AuditEntry.objects.order_by("-pk")
        if self.who:
            found = found.filter(Q(user_name__icontains=self.who) | Q(user_key=self.who))
        if self.action:
            found = found.filter(action=self.action)
        if self.outcome:
            found = found.filter(outcome=self.outcome)
        if self.path:
            found = found.filter(Q(path__icontains=self.path) | Q(process__icontains=self.path))
        if self.since is not None:
            found = found.filter(at__gte=_midnight(self.since, time.min))
        if self.until is not None:
            found = found.filter(at__lte=_midnight(self.until, time.max))
        if self.before is not None:
            found = found.filter(pk__lt=self.before)
        return found


@console_view("GET", permission=f"{APP}.view_audit")
def audit(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with a page of the audit log."""
    query = AuditQuery.read(request.GET)
    entries: list[AuditEntry] = []
    problem = ""
    try:
        entries = list(query.entries()[: PAGE + 1])
    except DatabaseError:
        if is_migrated():
            raise
        problem = f"There is no log yet: {MIGRATE}"
    shown = entries[:PAGE]
    params = query.params()
    context: dict[str, Any] = {
        **site.each_context(request),
        "places": places(request, site),
        "title": "Audit log",
        "entries": _shown(site, shown),
        "problem": problem,
        "query": query,
        "looking": bool(params) or query.before is not None,
        "actions": list(ACTIONS.values()),
        "outcomes": OUTCOMES,
        "first": link(site, "greenroom_audit", **params) if query.before else "",
        "more": link(site, "greenroom_audit", **params, before=shown[-1].pk)
        if len(entries) > PAGE
        else "",
        "all": link(site, "greenroom_audit"),
    }
    return TemplateResponse(request, "greenroom/act_audit.html", context)


_USER = "user "
"""What stands before the key of a user in the path of an entry."""


def _shown(site: AdminSite, entries: list[AuditEntry]) -> list["_Shown"]:
    names = names_of(_user_in(entry) for entry in entries)
    return [_Shown(site, entry, names) for entry in entries]


def _user_in(entry: AuditEntry) -> str:
    return entry.path.removeprefix(_USER) if entry.path.startswith(_USER) else ""


class _Shown:
    """An entry as the page shows it."""

    def __init__(self, site: AdminSite, entry: AuditEntry, names: Mapping[str, str]) -> None:
        self.entry = entry
        self.at = entry.at.timestamp()
        key = _user_in(entry)
        self.what = _USER + named(key, names) if key else entry.path or entry.process
        self.by_this_user = link(site, "greenroom_audit", who=entry.user_key)
        title = ACTIONS.get(entry.action)
        self.action = entry.action if title is None else title.title
        self.sign = {"done": "\N{CHECK MARK}", "begun": "\N{HORIZONTAL ELLIPSIS}"}.get(
            entry.outcome, "!"
        )
        self.facts = [
            (name, value)
            for name, value in (
                ("Arguments", _listed(entry.arguments)),
                ("Answer", _listed(entry.answer)),
                ("Error", entry.error),
                ("Process", entry.process),
                ("Address", entry.address),
                ("User's key", entry.user_key),
            )
            if value
        ]


def _listed(facts: Any) -> str:
    if not isinstance(facts, dict):
        return ""
    pairs = cast("dict[str, object]", facts).items()
    return ", ".join(f"{name} {told(value)}" for name, value in pairs if value not in ("", None))


def _text(given: QueryDict, name: str) -> str:
    return given.get(name, "").replace("\0", "").strip()[:_MOST]  # PostgreSQL takes no NUL


def _date(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:  # the 31st of February
        return None
    # The first and the last year may be in no year at all by another clock.
    return found if found is not None and MINYEAR < found.year < MAXYEAR else None


def _midnight(day: date, moment: time) -> datetime:
    at = datetime.combine(day, moment)
    return timezone.make_aware(at) if timezone.is_aware(timezone.now()) else at
