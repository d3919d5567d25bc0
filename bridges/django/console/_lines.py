# One place of the tree as a line of a table: what a person reads of it. Pure.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._words import NOTHING, Mark, anchor, count, duration, kind_mark, mapping, state_mark

Row = Mapping[str, Any]

DEEPEST = 12
"""From this depth on nothing is indented further."""
_TEXT = 300


@dataclass(frozen=True)
class Line:
    """A place, or a note, in the table of one process."""

    id: str
    """For the element: the same as long as the place lives."""
    depth: int
    name: str = ""
    path: str = ""
    actor: str = ""
    url: str = ""
    """Its own page; "" for a note."""
    kind: Mark | None = None
    state: Mark | None = None
    unwell: str = ""
    """Why somebody should look at it."""
    toggle: str = ""
    """The page with it unfolded or folded; "" if nothing is below it."""
    open: bool = False
    below: str = ""
    life: str = NOTHING
    """Its incarnation and since when."""
    restarts: str = NOTHING
    mailbox: str = NOTHING
    doing: str = NOTHING
    last: str = ""
    """Why it ended or crashed last."""
    at: float | None = None
    """When it crashed, in unix seconds."""
    facts: str = ""
    note: str = ""
    """Instead of a place: a sentence, linked to `url` if there is one."""


def line_of(
    row: Row, process: str, depth: int, *, url: str, toggle: str, is_open: bool, whole: bool = False
) -> Line:
    """
    Return *row* as a line.

    Args:
        row: As the question ``tree`` answers.
        process: The id of the process it is in.
        depth: How deep it stands, from 0.
        url: Its page.
        toggle: The page with it unfolded or folded.
        is_open: Whether it is unfolded.
        whole: Name it by its path instead of the last part of it.
    """
    path = str(row.get("path", ""))
    return Line(
        id=anchor(process, path),
        depth=min(depth, DEEPEST),
        name=path if whole else str(row.get("name") or path),
        path=path,
        actor=str(row.get("actor") or ""),
        url=url,
        kind=kind_mark(str(row.get("kind", ""))),
        state=state_mark(str(row.get("state", "")), healthy=row.get("healthy") is not False),
        unwell=_more_than(str(row.get("state", "")), str(row.get("unwell") or "")),
        toggle=toggle if _below(row).get("total") else "",
        open=is_open,
        below=below_text(row),
        life=life_text(row),
        restarts=restarts_text(row),
        mailbox=mailbox_text(row),
        doing=doing_text(row),
        last=last_text(row),
        at=mapping(row.get("crash")).get("at"),
        facts=facts_text(row),
    )


def _more_than(state: str, unwell: str) -> str:
    return "" if unwell == state else unwell


def life_text(row: Row) -> str:
    """Return which incarnation runs, and for how long."""
    epoch, uptime = row.get("epoch"), row.get("uptime")
    if not epoch:
        return NOTHING if uptime is None else f"up {duration(uptime)}"
    return f"epoch {epoch}" if uptime is None else f"epoch {epoch}, up {duration(uptime)}"


def restarts_text(row: Row) -> str:
    """Return how many restarts count now, how many are left, and when it begins again."""
    left, restarts = row.get("restarts_left"), row.get("restarts") or 0
    if row.get("kind") != "slot" and not restarts and left is None:
        return NOTHING
    said = [f"{restarts} in window"]
    said.append("no limit" if left is None else f"{left} left")
    pause = row.get("backoff")
    if pause is not None:
        said.append(f"begins again in {duration(pause)}")
    return ", ".join(said)


def mailbox_text(row: Row) -> str:
    """Return how full the mailbox is, and how old the oldest in it."""
    mailbox = mapping(row.get("mailbox"))
    if not mailbox:
        return NOTHING
    text = f"{mailbox.get('queued', 0)} / {mailbox.get('capacity', NOTHING)}"
    age = mailbox.get("age")
    return text if age is None else f"{text}, oldest {duration(age)}"


def doing_text(row: Row) -> str:
    """Return what it is doing, for how long, and where."""
    doing = mapping(row.get("doing"))
    if not doing:
        return NOTHING
    text = str(doing.get("what") or "something")
    if doing.get("seconds") is not None:
        text += f" for {duration(doing['seconds'])}"
    if doing.get("where"):
        text += f" {doing['where']}"
    return shortened(text)


def last_text(row: Row) -> str:
    """Return why it crashed, or ended, last."""
    crash = mapping(row.get("crash"))
    if crash:
        text = str(crash.get("text") or "")
        name = str(crash.get("exception") or "crashed")
        return shortened(f"{name}: {text}" if text else name)
    return shortened(str(mapping(row.get("exit")).get("reason") or ""))


def below_text(row: Row) -> str:
    """Return how many places are below it, in which states, as far as that is counted."""
    below = _below(row)
    total = below.get("total")
    if not total:
        return ""
    said = [f"{total:,} below"]
    if below.get("unhealthy"):
        said.append(f"{below['unhealthy']:,} unhealthy")
    states = mapping(below.get("states")).items()
    said += [f"{number:,} {state}" for state, number in states if number]
    return ", ".join(said)


def facts_text(row: Row, most: int = 6) -> str:
    """Return the first facts of it, those that no column has."""
    known = ("handling", "request", "seconds")
    kept = [(name, fact) for name, fact in mapping(row.get("facts")).items() if name not in known]
    said = [f"{name} {fact}" for name, fact in kept[:most] if fact not in (None, "", [], {})]
    return shortened(", ".join(said))


def more_line(process: str, path: str, depth: int, shown: int, total: int, url: str) -> Line:
    """Return the line that leads to the rest below a place."""
    rest = f"{count(shown, 'place', 'places')} of {total:,} shown: the next ones"
    return Line(anchor(process, path, "more"), min(depth, DEEPEST), note=rest, url=url)


def note_line(process: str, path: str, depth: int, note: str, url: str = "") -> Line:
    """Return a line that says something instead of places."""
    return Line(anchor(process, path, "note"), min(depth, DEEPEST), note=note, url=url)


def shortened(text: str, most: int = _TEXT) -> str:
    """Return *text*, cut where it is too long for a cell."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _below(row: Row) -> Mapping[str, Any]:
    return mapping(row.get("below"))
