# Connections and groups of all processes.

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._action_links import user_links
from ._charts import CLOSED, OPEN, OPENED
from ._hearing import Voice
from ._lists import asked, listed, one_of, paged, rows_table, text_of, users_linked
from ._page import link
from ._tables import Cell, Control, Table, TableRow, cell
from ._user_names import keys_named, named, names_of
from ._view import console_view
from ._words import NOTHING, anchor, listing, mapping, number

_BY = (("", "Each by itself"), ("user", "By user"), ("route", "By route"), ("actor", "By actor"))
_CONNECTION = [
    "path",
    "transport",
    "actor",
    "user",
    "url",
    "address",
    "state",
    "slot",
    "age",
    "idle",
    "frames_in",
    "frames_out",
    "bytes_in",
    "bytes_out",
    "output_bytes",
]
_GROUP = ("group", "name", "members", "sent", "dropped")


@console_view("GET")
def connections(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the open connections, one by one or counted."""
    search, by = text_of(request, "q"), one_of(request, "by", _BY)
    of = {name: text_of(request, name) for name in ("user", "route", "actor")}
    question = asked("connections", request, search=search, by=by, **of)
    if found := keys_named(search):
        question["users"] = "\n".join(found)

    def tables(voice: Voice) -> list[Table]:
        anything = search or any(of.values())
        empty = "No connection is as looked for." if anything else "No connection is open."
        if by:
            found = _counted(site, voice, by, empty)
        else:
            rows = users_linked(voice.answer.get("rows"), site, voice.process)
            found = rows_table(voice, site, "Connections", _CONNECTION, empty, rows)
        return [paged(found, request, site, "greenroom_connections", voice)]

    controls = [
        Control("q", "Path, user or address", search),
        Control("by", "Counted", by, _BY),
        *(Control(name, f"Only of this {name}", value) for name, value in of.items() if value),
    ]
    actions = user_links(request, site, of["user"])
    figures = (OPEN, OPENED, CLOSED)
    return listed(
        request, site, "Connections", question, tables, controls, figures=figures, actions=actions
    )


@console_view("GET")
def groups(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the groups, or with the members of the one that ``group`` names."""
    search, group = text_of(request, "q"), text_of(request, "group", 500)
    question = asked("groups", request, search=search, group=group)

    def tables(voice: Voice) -> list[Table]:
        if group:
            members = _members(voice)
            empty = "No member is in this process."
            found = rows_table(voice, site, "Members", ("path",), empty, members)
        else:
            rows = listing(voice.answer.get("rows") or voice.answer.get("groups"))
            found = rows_table(voice, site, "Groups", _GROUP, "No group has a member here.", rows)
            cells = [_group_cell(site, voice, mapping(each)) for each in rows]
            found = _with_first(found, cells)
        return [paged(found, request, site, "greenroom_groups", voice)]

    title = f"Group {group}" if group else "Groups"
    more: dict[str, Any] = {}
    if group:
        more["back"] = {"text": "All groups", "url": link(site, "greenroom_groups")}
    controls = [] if group else [Control("q", "Name of the group", search)]
    return listed(request, site, title, question, tables, controls, **more)


def _counted(site: AdminSite, voice: Voice, by: str, empty: str) -> Table:
    rows: list[TableRow] = []
    counts = [mapping(each) for each in listing(voice.answer.get("counts"))]
    names = names_of(each.get("key") for each in counts if by == "user")
    for each in counts:
        key, count = str(each.get("key") or ""), each.get("count")
        url = link(site, "greenroom_connections", **{by: key, "process": voice.process})
        name = (
            Cell(named(key, names), url, anchor(voice.process, by, key)) if key else Cell(NOTHING)
        )
        rows.append(TableRow([name, cell(number(count))]))
    keys = voice.answer.get("keys")
    caption = f"Connections by {by}, {number(keys)} in all" if keys else f"Connections by {by}"
    columns = (by.capitalize(), "Connections")
    return Table(anchor(voice.process, "counts"), caption, columns, rows, empty)


def _members(voice: Voice) -> Sequence[Any]:
    rows = listing(voice.answer.get("rows") or voice.answer.get("members"))
    return [each if isinstance(each, dict) else {"path": each} for each in rows]


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
