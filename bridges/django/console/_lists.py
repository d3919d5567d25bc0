# What all pages that list things of every process have in common: ask, one part for each process,
# pages of rows, a form above.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._charts import MINUTE, Figure, charted
from ._hearing import NO_SUCH, Hearing, Voice
from ._page import link, page
from ._plain_tables import items_table
from ._tables import Cell, Control, Part, Table
from ._user_names import named, names_of
from ._view import VIEW_TRACEBACK, may
from ._words import Mark, anchor, listing, mapping

LIMIT = 50
SILENT = Mark("!", "silent", "bad")
GONE = Mark("!", "not there", "bad")
_DIGITS = 15

Tabled = Callable[[Voice], Sequence[Table]]


def text_of(request: HttpRequest, name: str, most: int = 200) -> str:
    """Return a field of the query, cut at *most* characters."""
    return request.GET.get(name, "").strip()[:most]


def number_of(request: HttpRequest, name: str) -> int | None:
    """Return a field of the query that is a number a process may be asked about; else None."""
    text = text_of(request, name)
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        return None
    return int(text)


def parts_of(request: HttpRequest, voices: Sequence[Voice], tabled: Tabled) -> list[Part]:
    """Return a part for each process that the page shows, with the tables that *tabled* makes."""
    only = text_of(request, "process", 300)
    found = [part_of(voice, tabled) for voice in voices if only in ("", voice.process)]
    if only and voices and not found:
        return [Part(anchor(only), f"Process {only}", mark=GONE, note=f"{NO_SUCH}.")]
    return found


def part_of(voice: Voice, tabled: Tabled) -> Part:
    """Return one process with the tables that *tabled* makes of what it said."""
    part = Part(anchor(voice.process), voice.title)
    if voice.silent:
        return replace(part, mark=SILENT, note=f"{voice.silent}.")
    if voice.error:
        return replace(part, note=voice.error)
    return replace(part, tables=tabled(voice))


def linked_in(site: AdminSite, process: str) -> Callable[[str], str]:
    """Return what leads from a path in *process* to its page."""
    return lambda path: link(site, "greenroom_actor", process=process, path=path)


def paged(
    table: Table,
    request: HttpRequest,
    site: AdminSite,
    name: str,
    voice: Voice,
    cursor: str = "after",
    behind: object = None,
) -> Table:
    """
    Return *table* with links to the pages before and behind it.

    Args:
        table: One process's.
        request: Whose query the links keep.
        site: The admin site.
        name: Of the page's URL.
        voice: The process; only it is on the other pages.
        cursor: The parameter that says where a page begins.
        behind: Where the next one does; None: what the answer says.
    """
    asked = {key: value for key, value in request.GET.items() if key not in (cursor, "process")}
    here = {**asked, "process": voice.process}
    first = link(site, name, **here) if request.GET.get(cursor) else ""
    behind = voice.answer.get("next") if cursor == "after" else behind
    more = link(site, name, **here, **{cursor: behind}) if behind else ""
    return replace(table, first=first, more=more)


def rows_table(
    voice: Voice,
    site: AdminSite,
    caption: str,
    columns: Sequence[str],
    empty: str,
    rows: Sequence[Mapping[str, Any]] | None = None,
) -> Table:
    """Return the answer's rows as a table; *columns* come first."""
    found = listing(voice.answer.get("rows")) if rows is None else rows
    id = anchor(voice.process, caption)
    linked = linked_in(site, voice.process)
    return replace(
        items_table(id, caption, found, linked, columns=columns, empty=empty), titled=False
    )


def users_linked(rows: object, site: AdminSite, process: str) -> list[dict[str, Any]]:
    """Return *rows* of *process* with each user's name, and the way to that user's connections."""
    found = [dict(mapping(each)) for each in listing(rows)]
    names = names_of(each.get("user") for each in found)
    for each in found:
        if key := each.get("user"):
            url = link(site, "greenroom_connections", user=key, process=process)
            # An actor may be present as several keys, each in a row of its own.
            which = anchor(process, str(each.get("path")), str(each.get("key") or ""), "user")
            each["user"] = Cell(named(key, names), url, which)
    return found


def listed(
    request: HttpRequest,
    site: AdminSite,
    title: str,
    question: Mapping[str, object],
    tabled: Tabled,
    controls: Sequence[Control],
    *,
    figures: Sequence[Figure] = (),
    **more: object,
) -> HttpResponse:
    """
    Ask all processes *question*; answer with a page of what they said, as tables.

    Args:
        request: Whose request.
        site: The admin site.
        title: The heading.
        question: What all are asked.
        tabled: Makes tables of what one has said.
        controls: The form above.
        figures: Those of which each process has a chart of its last minute.
        more: For the template.
    """
    hearing = Hearing(secrets=may(request, VIEW_TRACEBACK))
    parts = parts_of(request, hearing.all(question), tabled)
    if figures:  # last: the page is whole without them
        parts = _with_charts(parts, hearing.aside(MINUTE), figures)
    context = {"parts": parts, "controls": controls, "back": _back(request), **more}
    return page(request, site, "list", title, hearing, context)


def _with_charts(
    parts: Sequence[Part], minutes: Mapping[str, Voice], figures: Sequence[Figure]
) -> list[Part]:
    """Return *parts* with the charts of those processes that have told of their last minute."""
    found = {anchor(id): charted(voice.answer, figures) for id, voice in minutes.items()}
    return [replace(part, charts=found.get(part.id, ())) for part in parts]


def _back(request: HttpRequest) -> dict[str, str] | None:
    """Return the way from one process to all of them; None for a page of all."""
    if not text_of(request, "process", 300):
        return None
    kept = {
        name: value
        for name, value in request.GET.items()
        if value and name not in ("process", "after", "before")
    }
    url = f"{request.path}?{urlencode(kept)}" if kept else request.path
    return {"text": "All processes", "url": url}


def asked(ask: str, request: HttpRequest, **fields: str) -> dict[str, object]:
    """Return a question for a page of rows, with those *fields* that say something."""
    after = text_of(request, "after", 2000)
    said = {name: value for name, value in {**fields, "after": after}.items() if value}
    return {"ask": ask, "limit": LIMIT, **said}


def one_of(request: HttpRequest, name: str, choices: Sequence[tuple[str, str]]) -> str:
    """Return a field of the query that is one of *choices*; "" for anything else."""
    value = text_of(request, name)
    return value if value in dict(choices) else ""
