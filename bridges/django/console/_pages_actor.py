# The page of one place: everything that its process says of it, the line at fault first.

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._action_links import links_of
from ._charts import spread_cell
from ._event_tables import events_table
from ._hearing import Hearing, Voice
from ._lines import line_of, shortened
from ._page import link, page
from ._pages_presence import topic_cell
from ._plain_tables import folded, items_table, pairs_table
from ._tables import Cell, Part, Table
from ._tracebacks import offending
from ._user_names import named, names_of
from ._view import APP, VIEW_TRACEBACK, console_view, may
from ._words import anchor, listing, mapping

VIEW_STATE = f"{APP}.view_state"
WATCH_SECONDS = 20.0
"""For how long its handlers are timed after the page was asked for."""
MOST_TEXT = 2000
"""Characters of what an exception said; all of it is in the traceback."""
_LISTS = (
    (
        "handlers", "Handlers", ("message", "count", "p50", "p95", "max", "spread"),
        "It has handled nothing.",
    ),
    ("timers", "Timers", ("name",), "None."),
    ("monitors", "Monitors", ("path",), "It watches nobody."),
    ("monitored_by", "Monitored by", ("path",), "Nobody watches it."),
    ("groups", "Groups", ("group", "name"), "It is in no group."),
    ("names", "Names in the registry", ("name",), "It has none."),
    ("presences", "Present as", ("topic", "key", "since"), "It is present in no topic."),
    ("watched_topics", "Watches who is present in", ("topic",), "It watches no topic."),
)  # fmt: skip


@console_view("GET")
def actor(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with everything about the place at ``path``, in ``process`` if that is named."""
    process = request.GET.get("process", "")[:300]
    path = (request.GET.get("path", "") or "/")[:2000]
    sees = {
        "traceback": may(request, VIEW_TRACEBACK),
        "state": may(request, VIEW_STATE),
    }
    question: dict[str, object] = {
        "ask": "actor",
        "path": path,
        "traceback": sees["traceback"],
        "state": sees["state"],
        # It shows lines of code, as a traceback does.
        "stack": sees["traceback"],
        # How long its handlers take is measured while somebody looks.
        "watch": WATCH_SECONDS,
    }
    hearing = Hearing(secrets=may(request, VIEW_TRACEBACK))
    voice = _first(hearing, process, question)
    if voice.error and voice.code != "not-found":  # no actor, or too many are watched already
        voice = _first(hearing, voice.process, {**question, "watch": None})
    context: dict[str, Any] = {
        "path": path,
        "voice": voice,
        "sees": sees,
        "in_tree": link(site, "greenroom_tree", process=voice.process, path=path)
        if voice.process
        else link(site, "greenroom_tree"),
        "top": link(site, "greenroom_tree"),
        "view_traceback": VIEW_TRACEBACK,
        "view_state": VIEW_STATE,
    }
    if voice.well:
        context |= _told(request, site, voice, path, sees["traceback"])
    status = 404 if voice.code == "not-found" else 200
    return page(request, site, "actor", path, hearing, context, status=status)


def _first(hearing: Hearing, process: str, question: dict[str, object]) -> Voice:
    """Return what the process says, or the first that has such a place."""
    if process:
        hearing.all({"ask": "process", "samples": False})
        return hearing.one(process, question)
    voices = hearing.all(question)
    ordered = sorted(voices, key=lambda voice: (not voice.well, bool(voice.silent)))
    return ordered[0] if ordered else Voice("", 0, silent="no process can be asked")


def _told(
    request: HttpRequest, site: AdminSite, voice: Voice, path: str, sees_tracebacks: bool
) -> dict[str, Any]:
    answer, process = voice.answer, voice.process
    row = mapping(answer.get("row"))

    def linked(to: str) -> str:
        return link(site, "greenroom_actor", process=process, path=to)

    crashes = [
        _crash(mapping(each), sees_tracebacks, (process, path))
        for each in listing(answer.get("history"))  # the last one first
    ]
    listed = {name: listing(answer.get(name)) for name, *_ in _LISTS}
    listed["handlers"] = [_handler(mapping(each)) for each in listed["handlers"]]
    listed["groups"] = [{"group": _group(site, path, str(name))} for name in listed["groups"]]
    listed["presences"] = [
        {**each, "topic": topic_cell(site, each.get("topic"), path, str(each.get("key")))}
        for each in map(mapping, listed["presences"])
    ]
    listed["watched_topics"] = [
        {"topic": topic_cell(site, name, path, "watched")} for name in listed["watched_topics"]
    ]
    tables = [
        items_table(
            anchor(process, path, name), title, listed[name], linked,
            columns=columns, empty=empty,
        )
        for name, title, columns, empty in _LISTS
    ]  # fmt: skip
    events = listing(answer.get("events"))
    return {
        "line": line_of(row, process, 0, url="", toggle="", is_open=False, whole=True),
        "row": row,
        "crashes": crashes,
        "fault": crashes[0]["fault"] if crashes else None,
        "facts": pairs_table(anchor(path, "facts"), "Facts", mapping(row.get("facts")), linked),
        "spec": pairs_table(anchor(path, "spec"), "Spec", mapping(answer.get("spec")), linked),
        "connection": _connection(site, voice, path, linked),
        "state": _pairs(path, "state", "What describe() says", answer, linked),
        "state_problem": answer.get("state_problem") or "",
        "watched": mapping(answer.get("watched")),
        "where": answer.get("where") or "",
        "parts": [Part(table.id, table.caption, [table]) for table in tables if table.rows],
        "without": ", ".join(table.caption.lower() for table in tables if not table.rows),
        "stack": folded(answer.get("stack"), "The stack of its task", path, "stack"),
        "events": events_table(anchor(path, "events"), events[::-1], None, "None remembered."),
        "gone": answer.get("gone") is True,
        "actions": []
        if answer.get("gone")
        else links_of(request, site, process, row, mapping(answer.get("connection"))),
    }


def _crash(crash: Any, sees_tracebacks: bool, where: tuple[str, ...]) -> dict[str, Any]:
    text = str(crash.get("traceback") or "") if sees_tracebacks else ""
    which = (*where, str(crash.get("epoch")), str(crash.get("at")))
    recent = listing(crash.get("recent"))
    return {
        **crash,
        "text": shortened(str(crash.get("text") or ""), MOST_TEXT),
        "id": anchor(*which),
        "traceback": text,
        "fault": offending(text),
        "recent": events_table(anchor(*which, "recent"), recent, None, "None remembered."),
    }


def _handler(row: Any) -> dict[str, Any]:
    """Return a handler with a chart of how long its messages took, if its process tells that."""
    return {**row, "spread": spread_cell(row["spread"])} if "spread" in row else dict(row)


def _connection(site: AdminSite, voice: Voice, path: str, linked: Any) -> Table | None:
    found = dict(mapping(voice.answer.get("connection")))
    if key := found.get("user"):
        url = link(site, "greenroom_connections", user=key)
        found["user"] = Cell(named(key, names_of([key])), url, anchor(path, "user"))
    return pairs_table(anchor(path, "connection"), "Connection", found, linked) if found else None


def _group(site: AdminSite, path: str, name: str) -> Cell:
    return Cell(name, link(site, "greenroom_groups", group=name), anchor(path, "group", name))


def _pairs(path: str, name: str, title: str, answer: Any, linked: Any) -> Table | None:
    found = answer.get(name)
    if found is None:
        return None
    return pairs_table(anchor(path, name), title, mapping(found), linked)
