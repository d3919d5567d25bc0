# The first page: who is in trouble, and the tree of every process, unfolded as far as one likes.

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._charts import CRASHES, LAG, MINUTE, RESTARTS, charted
from ._hearing import Hearing, Voice
from ._lines import DEEPEST, Line, line_of, more_line, note_line, shortened
from ._page import link, page
from ._process_words import header_of
from ._tables import Charted
from ._tree_query import MOST_OPEN, PAGE, Spot, TreeQuery
from ._user_names import keys_named
from ._view import VIEW_TRACEBACK, console_view, may
from ._words import anchor, listing, mapping

FEW = 4
"""Up to so many processes unfold their residents and connections from the start."""
MOST_TROUBLE = 20
"""How many places in trouble the first page names, of each process."""
_ASKS = 80


@dataclass
class Section:
    """One process with its part of the tree."""

    id: str
    voice: Voice
    header: dict[str, Any]
    charts: list[Charted] = field(default_factory=list[Charted])
    lines: list[Line] = field(default_factory=list[Line])
    first: str = ""
    """The page with its first places, if this is not the one."""
    more: str = ""
    """The page with its next places, if there are more."""
    note: str = ""


@console_view("GET")
def tree(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with the tree of all processes, or what is looked for in it."""
    opened = request.GET.getlist("open") if "open" in request.GET else None
    query = TreeQuery.read(request.GET, opened)
    query = replace(query, users=tuple(keys_named(query.search)))
    hearing = Hearing(secrets=may(request, VIEW_TRACEBACK))
    processes = hearing.all(MINUTE)
    view = TreeView(site, query, hearing)
    # First what matters most: the time of the page may be over before the rest is told.
    troubles = [] if query.looking or query.focused else view.troubles()
    context = {
        "query": query,
        "trouble": view.trouble(troubles),
        "fallen": [] if query.looking or query.focused else view.fallen(processes),
        "unsaid": [voice for voice in troubles if not voice.well],
        "sections": [view.section(voice) for voice in processes if view.concerns(voice)],
        "trail": view.trail(),
        "clear": link(site, "greenroom_tree"),
        "all_trouble": link(site, "greenroom_tree", unhealthy="1"),
    }
    return page(request, site, "tree", "Greenroom", hearing, context)


class TreeView:
    """
    What one request sees of the tree.

    Args:
        site: The admin site.
        query: What is asked for.
        hearing: Who is asked.
    """

    def __init__(self, site: AdminSite, query: TreeQuery, hearing: Hearing) -> None:
        self._site = site
        self._query = query
        self._hearing = hearing
        self._few = len(hearing.ready) <= FEW
        self._asks = _ASKS
        self._opened = self._open_now()

    def concerns(self, voice: Voice) -> bool:
        """Say whether the page shows the process."""
        return self._query.process in ("", voice.process)

    def section(self, voice: Voice) -> Section:
        """Return a process with its part of the tree."""
        charts = charted(voice.answer, (LAG, CRASHES, RESTARTS))
        section = Section(anchor(voice.process), voice, header_of(voice), charts)
        if voice.silent:
            return section
        below = self._hearing.one(voice.process, self._query.question(after=self._query.after))
        if not below.well:
            section.note = below.silent or below.error
            return section
        section.lines = list(self._found(below) if self._query.looking else self._top(below))
        if self._query.after:
            section.first = self._url(voice.process, after="")
        if below.answer.get("next"):
            section.more = self._url(voice.process, after=below.answer["next"])
        if not section.lines:
            section.note = "Nothing here is as looked for."
        return section

    def troubles(self) -> list[Voice]:
        """Ask each process for the first places that are unhealthy in it."""
        asked = {"ask": "tree", "path": "/", "unhealthy": True, "limit": MOST_TROUBLE}
        return self._hearing.all(asked)

    def trouble(self, voices: list[Voice]) -> list[dict[str, Any]]:
        """Return what is unhealthy in each process that has said so."""
        return [
            {
                "voice": voice,
                "lines": [self._line(row, voice.process, 0, whole=True) for row in rows],
                "more": link(self._site, "greenroom_tree", process=voice.process, unhealthy="1")
                if voice.answer.get("next")
                else "",
            }
            for voice in voices
            if voice.well
            # The top is unhealthy because something below it is, which is listed.
            and (rows := [row for row in voice.answer.get("rows", []) if row["path"] != "/"])
        ]

    def fallen(self, voices: list[Voice]) -> list[dict[str, Any]]:
        """Return the connections that a crash has ended lately, one of each class."""
        return [
            {
                **mapping(each),
                "text": shortened(str(each.get("text") or "")),
                "voice": voice,
                "id": anchor(voice.process, "fallen", str(each.get("actor"))),
                "url": link(
                    self._site, "greenroom_actor", process=voice.process, path=each.get("path")
                ),
            }
            for voice in voices
            for each in listing(voice.answer.get("fallen"))
        ]

    def trail(self) -> list[dict[str, str]]:
        """Return the places above the one that is looked at, each with its page."""
        if not self._query.focused:
            return []
        parts = [part for part in self._query.path.split("/") if part]
        paths = ["/", *(f"/{'/'.join(parts[: nth + 1])}" for nth in range(len(parts)))]
        return [
            {"name": path.rpartition("/")[2] or "/", "url": self._focus(self._query.process, path)}
            for path in paths
        ]

    def _top(self, voice: Voice) -> Iterator[Line]:
        """Yield the place itself and what is unfolded below it."""
        process, node = voice.process, voice.answer["node"]
        if not self._query.focused:
            yield self._line(node, process, 0)
            if (process, node["path"]) not in self._opened:
                return
            yield from self._rows(voice, 1)
            return
        yield replace(self._line(node, process, 0, whole=True), toggle="")
        yield from self._rows(voice, 1, paged=True)

    def _rows(self, voice: Voice, depth: int, *, paged: bool = False) -> Iterator[Line]:
        process, rows = voice.process, voice.answer.get("rows", [])
        for row in rows:
            yield self._line(row, process, depth)
            if (process, row["path"]) in self._opened and row["below"].get("total"):
                yield from self._below(process, row["path"], depth + 1)
        if voice.answer.get("next") and not paged:
            path, total = str(voice.answer["node"]["path"]), voice.answer.get("total", 0)
            url = self._focus(process, path, after=voice.answer["next"])
            yield more_line(process, path, depth, len(rows), total, url)

    def _below(self, process: str, path: str, depth: int) -> Iterator[Line]:
        if depth > DEEPEST or self._asks <= 0:
            note = "This is deep or much: look at it on a page of its own"
            yield note_line(process, path, depth, note, self._focus(process, path))
            return
        self._asks -= 1
        below = self._hearing.one(process, self._query.question(path))
        if below.well:
            yield from self._rows(below, depth)
        elif below.code != "not-found":  # else it has gone a moment ago
            yield note_line(process, path, depth, below.silent or below.error)

    def _found(self, voice: Voice) -> Iterator[Line]:
        for row in voice.answer.get("rows", []):
            yield replace(self._line(row, voice.process, 0, whole=True), toggle="")

    def _line(self, row: dict[str, Any], process: str, depth: int, *, whole: bool = False) -> Line:
        spot = (process, str(row["path"]))
        return line_of(
            row,
            process,
            depth,
            url=link(self._site, "greenroom_actor", process=process, path=spot[1]),
            toggle=self._toggle(spot),
            is_open=spot in self._opened,
            whole=whole,
        )

    def _toggle(self, spot: Spot) -> str:
        query = self._query.toggled(self._opened, spot)
        return f"{link(self._site, 'greenroom_tree', **query.params())}#{anchor(*spot)}"

    def _open_now(self) -> list[Spot]:
        if self._query.opened is not None:
            return list(self._query.opened)
        if self._query.focused:
            return []
        found = [
            (process, path)
            for process in self._hearing.ready
            for path in ("/", "/connections", "/residents")
            if self._query.is_open(process, path, few=self._few)
        ]
        return found[:MOST_OPEN]

    def _focus(self, process: str, path: str, after: str = "") -> str:
        return link(self._site, "greenroom_tree", process=process, path=path, after=after)

    def _url(self, process: str, *, after: str) -> str:
        query = replace(self._query, process=process, after=after)
        return link(self._site, "greenroom_tree", **query.params())


__all__ = ["PAGE", "tree"]
