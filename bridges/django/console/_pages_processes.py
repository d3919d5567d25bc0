# The processes: how late their loops are, what they hold, whether they drain; small charts of it.

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from ._action_links import process_links
from ._charts import EVENTS, LAG, MEMORY, MINUTE, OPEN, cell_with
from ._hearing import Hearing, Voice
from ._lists import linked_in
from ._page import link, page
from ._plain_tables import pairs_table
from ._process_words import header_of, mark_of, uptime_text
from ._tables import Cell, Part, Table, TableRow, row
from ._view import VIEW_TRACEBACK, console_view, may
from ._words import NOTHING, anchor, number

_KNOWN = frozenset(
    "loop_lag memory tasks samples columns problems ready draining id host pid threads".split()  # noqa: SIM905
)


@console_view("GET")
def processes(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Answer with all processes, and with everything that each says of itself."""
    hearing = Hearing(secrets=may(request, VIEW_TRACEBACK))
    voices = hearing.all(MINUTE)
    overview = Part("all", "All processes", [_overview(site, voices)])
    parts = [overview, *(_part(request, site, voice) for voice in voices if voice.well)]
    context = {"parts": parts if voices else []}
    return page(request, site, "processes", "Processes", hearing, context)


def _overview(site: AdminSite, voices: list[Voice]) -> Table:
    columns = (
        "Process", "State", "Up", "Loop lag", "Memory", "Connections", "Events a second", "Tasks",
        "Problems",
    )  # fmt: skip
    rows: list[TableRow] = []
    for voice in voices:
        said, problems = voice.answer, header_of(voice)["problems"]
        url = link(site, "greenroom_tree", process=voice.process)
        rows.append(
            row(
                Cell(voice.title, url, anchor(voice.process, "process")),
                Cell(mark=mark_of(voice)),
                uptime_text(said),
                *(cell_with(said, figure) for figure in (LAG, MEMORY, OPEN, EVENTS)),
                number(said.get("tasks")),
                "; ".join(problems) or NOTHING,
                id=anchor(voice.process, "row"),
            )
        )
    return Table("gr-processes", "Processes", columns, rows, "No process answers.")


def _part(request: HttpRequest, site: AdminSite, voice: Voice) -> dict[str, Any]:
    facts = {name: value for name, value in voice.answer.items() if name not in _KNOWN}
    table = pairs_table(
        anchor(voice.process, "facts"), "All it says", facts, linked_in(site, voice.process)
    )
    return {
        "id": anchor(voice.process),
        "title": voice.title,
        "mark": mark_of(voice),
        "tables": [table],
        "actions": process_links(request, site, voice.process),
    }
