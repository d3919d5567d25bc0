# Connections, groups, dead letters, worker threads and events of all processes.

from dataclasses import replace
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._hearing import Hearing, Voice
from ._lists import LIMIT, linked_in, paged, parts_of, rows_table, text_of
from ._page import link, page
from ._pages_actor import VIEW_TRACEBACK, event_row
from ._plain_tables import pairs_table
from ._tables import Cell, Control, Table
from ._view import console_view, may
from ._words import anchor, listing, mapping, number

_BY = (("", "Each by itself"), ("user", "By user"), ("route", "By route"), ("actor", "By actor"))
_CONNECTION = (
    "path transport actor user address age idle state frames_in frames_out bytes_in bytes_out"
    " output_bytes"
).split()
_GROUP = ("group", "members", "sent", "dropped")
_LETTER = ("at", "reason", "target", "sender", "message", "count")
_JOB = ("name", "path", "seconds", "state", "stack")
_EVENTS = 100


@console_view("GET")
def connections(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the open connections, one by one or counted."""
    search, by = text_of(request, "q"), _one_of(request, "by", _BY)
    question = _asked("connections", request, search=search, by=by)

    def tables(voice: Voice) -> list[Table]:
        empty = "No connection is as looked for." if search else "No connection is open."
        found = rows_table(voice, site, "Connections", _CONNECTION, empty)
        return [paged(found, request, site, "greenroom_connections", voice)]

    controls = [
        Control("q", "Path, user or address", search),
        Control("by", "Counted", by, _BY),
    ]
    return _listed(request, site, "Connections", question, tables, controls)


@console_view("GET")
def groups(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the groups, or with the members of the one that ``group`` names."""
    search, group = text_of(request, "q"), text_of(request, "group", 500)
    question = _asked("groups", request, search=search, group=group)

    def tables(voice: Voice) -> list[Table]:
        if group:
            found = rows_table(voice, site, "Members", ("path",), "No member is in this process.")
        else:
            rows = listing(voice.answer.get("rows"))
            cells = [_group_cell(site, voice, mapping(each)) for each in rows]
            found = rows_table(voice, site, "Groups", _GROUP, "No group has a member here.")
            found = _with_first(found, cells)
        return [paged(found, request, site, "greenroom_groups", voice)]

    title = f"Group {group}" if group else "Groups"
    back = {"text": "All groups", "url": link(site, "greenroom_groups")} if group else None
    controls = [] if group else [Control("q", "Name of the group", search)]
    return _listed(request, site, title, question, tables, controls, back=back)


@console_view("GET")
def dead_letters(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the last messages that reached nobody, or were dropped."""
    question: dict[str, object] = {"ask": "dead-letters"}

    def tables(voice: Voice) -> list[Table]:
        totals = {
            name: value
            for name, value in voice.answer.items()
            if not isinstance(value, list) and name != "next"
        }
        counts = pairs_table(
            anchor(voice.process, "counts"), "Counted", totals, linked_in(site, voice.process)
        )
        last = rows_table(voice, site, "The last ones", _LETTER, "None was lost.")
        return [*([counts] if counts.rows else []), last]

    return _listed(request, site, "Dead letters and drops", question, tables, [])


@console_view("GET")
def threads(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the worker threads: who holds one, since when, and where it is."""
    sees = may(request, VIEW_TRACEBACK)  # a stack shows lines of code, as a traceback does
    question: dict[str, object] = {"ask": "threads"}

    def tables(voice: Voice) -> list[Table]:
        found: list[Table] = []
        for each in listing(voice.answer.get("rows") or voice.answer.get("pools")):
            pool = mapping(each)
            jobs = [
                {name: job[name] for name in job if sees or name != "stack"}
                for job in map(mapping, listing(pool.get("jobs")))
            ]
            caption = _pool_caption(pool)
            table = rows_table(voice, site, caption, _JOB, "No thread is busy.", jobs)
            found.append(_titled(table, anchor(voice.process, str(pool.get("pool")))))
        return found

    return _listed(request, site, "Worker threads", question, tables, [])


@console_view("GET")
def events(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the last events of all processes, the newest first."""
    kind, path = text_of(request, "kind"), text_of(request, "path", 500)
    question: dict[str, object] = {"ask": "events", "limit": _EVENTS}
    if kind:
        question["kind"] = kind
    if path:
        question["path"] = path

    def tables(voice: Voice) -> list[Table]:
        linked = linked_in(site, voice.process)
        found = listing(voice.answer.get("rows"))
        newest = sorted(found, key=lambda each: mapping(each).get("at") or 0, reverse=True)
        rows = [event_row(each, url=linked(str(each.get("path") or "/"))) for each in newest]
        columns = ("When", "Event", "Path", "Epoch", "Facts")
        id = anchor(voice.process, "events")
        return [Table(id, "Events", columns, rows, "None remembered that is as looked for.")]

    controls = [Control("kind", "Kind, such as actor.crashed", kind), Control("path", "Path", path)]
    return _listed(request, site, "Events", question, tables, controls)


def _listed(
    request: HttpRequest,
    site: AdminSite,
    title: str,
    question: dict[str, object],
    tables: Any,
    controls: list[Control],
    **more: object,
) -> HttpResponse:
    hearing = Hearing()
    parts = parts_of(request, hearing.all(question), tables)
    context = {"parts": parts, "controls": controls, **more}
    return page(request, site, "list", title, hearing, context)


def _asked(ask: str, request: HttpRequest, **fields: str) -> dict[str, object]:
    """Return a question with those *fields* that say something."""
    after = text_of(request, "after", 2000)
    said = {name: value for name, value in {**fields, "after": after}.items() if value}
    return {"ask": ask, "limit": LIMIT, **said}


def _one_of(request: HttpRequest, name: str, choices: tuple[tuple[str, str], ...]) -> str:
    value = text_of(request, name)
    return value if value in dict(choices) else ""


def _group_cell(site: AdminSite, voice: Voice, row: Any) -> Cell:
    name = str(row.get("group") or row.get("name") or "")
    url = link(site, "greenroom_groups", group=name, process=voice.process)
    return Cell(name, url, anchor(voice.process, "group", name))


def _with_first(table: Table, cells: list[Cell]) -> Table:
    rows = [
        replace(row, cells=[first, *row.cells[1:]])
        for row, first in zip(table.rows, cells, strict=True)
    ]
    return replace(table, rows=rows)


def _pool_caption(pool: Any) -> str:
    said = [str(pool.get("pool") or "threads")]
    for name in ("size", "busy", "waiting", "abandoned"):
        if isinstance(pool.get(name), int):
            said.append(f"{name} {number(pool[name])}")
    return ", ".join(said)


def _titled(table: Table, id: str) -> Table:
    return replace(table, id=id, titled=True)
