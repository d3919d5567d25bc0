# What was lost, and what has happened, in all processes: dead letters, drops, the event stream.

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._charts import EVENTS, LETTERS, OVERFLOWS
from ._event_tables import events_table, older
from ._hearing import Voice
from ._lists import LIMIT, asked, linked_in, listed, number_of, paged, rows_table, text_of
from ._plain_tables import items_table
from ._tables import Control, Table
from ._view import VIEW_TRACEBACK, console_view, may
from ._words import anchor, listing, number

_LETTER = ("at", "reason", "target_path", "message_type", "summary", "sender", "epoch", "number")
_SORT = ("reason", "count")


@console_view("GET")
def dead_letters(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the last messages that reached nobody or were dropped, and how many were."""
    search = text_of(request, "q")
    question = asked("dead-letters", request, search=search)

    def tables(voice: Voice) -> list[Table]:
        said, linked = voice.answer, linked_in(site, voice.process)
        letters = listing(said.get("letters"))
        last = rows_table(voice, site, "The last ones", _LETTER, "None was lost.", letters)
        reasons = items_table(
            anchor(voice.process, "reasons"),
            f"By reason: {number(said.get('total'))} in all,"
            f" {number(said.get('overflows'))} overflows of mailboxes",
            listing(said.get("by_reason")),
            linked,
            columns=_SORT,
            empty="None.",
        )
        sorts = items_table(
            anchor(voice.process, "sorts"),
            "Of each sort",
            listing(said.get("sorts")),
            linked,
            columns=_SORT,
        )
        counted = [table for table in (reasons, sorts) if table.rows]
        return [paged(last, request, site, "greenroom_dead_letters", voice), *counted]

    controls = [Control("q", "Path, sender, type or reason", search)]
    title, figures = "Dead letters and drops", (LETTERS, OVERFLOWS)
    return listed(request, site, title, question, tables, controls, figures=figures)


@console_view("GET")
def events(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the last events of each process, the newest first, or with those before them."""
    kind, path, before = text_of(request, "kind"), text_of(request, "path", 500), None
    if text_of(request, "process", 300):  # each process counts its own events
        before = number_of(request, "before")
    wanted = {"kind": kind, "path": path, "before": before}
    question: dict[str, object] = {"ask": "events", "limit": LIMIT}
    question |= {name: value for name, value in wanted.items() if value not in ("", None)}
    if may(request, VIEW_TRACEBACK):
        question["stack"] = True

    def tables(voice: Voice) -> list[Table]:
        found, linked = listing(voice.answer.get("events")), linked_in(site, voice.process)
        id, empty = anchor(voice.process, "events"), "None remembered that is as looked for."
        table = older(events_table(id, found, linked, empty))
        behind = found[0].get("number") if found and voice.answer.get("more") else None
        return [paged(table, request, site, "greenroom_events", voice, "before", behind)]

    controls = [
        Control("kind", "Kind, such as slot.crashed", kind),
        Control("path", "At or below this path", path),
    ]
    return listed(request, site, "Events", question, tables, controls, figures=(EVENTS,))
