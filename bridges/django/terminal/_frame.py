# The whole screen, as lines of cells: what is drawn, and nothing of how. Pure.

from collections.abc import Sequence
from dataclasses import dataclass

from . import _words as words
from ._columns import Cell, Row, cells_of, titles
from ._data import number
from ._detail import of_actor, of_one_process
from ._parts import Part, Parts, joined
from ._plan import on_screen
from ._processes import header
from ._tree import Line
from ._units import duration
from ._view import Screen, View
from ._world import World

AROUND = 4
"""Lines that the head and the foot take."""

HELP: tuple[tuple[str, str], ...] = (
    ("up down k j", "choose a line; page up, page down, space, home g, end G go further"),
    ("right l enter", "open what is below; on ... more: show more"),
    ("left h", "close it, or go to what it is below"),
    ("d enter", "all about an actor: options, crashes with tracebacks, events, stack"),
    (
        "s w",
        "there: its state, if its class shows any; time its handlers while you look",
    ),
    ("/", "look for a path, a class or a user; enter keeps it, escape ends it"),
    ("u", "only what is unhealthy"),
    ("p", "pause: what is shown stays as it is, until p again"),
    ("escape", "back; in the tree: all again"),
    ("?", "this page"),
    ("q ctrl-c", "quit"),
)
_KEYS: dict[Screen, str] = {
    Screen.TREE: (
        "arrows move  enter open  d details  / search  u unhealthy  p pause  ? keys  q quit"
    ),
    Screen.DETAIL: "arrows scroll  s state  w time its handlers  escape back  p pause  q quit",
    Screen.HELP: "any key goes back  q quit",
}
_SIGNS = (
    "● runs   ◌ on its way   ○ ended by itself   ↻ backs off   ‖ rests   ▲ in trouble   ✗ broken"
)
_ACTS = "No key changes anything: to act, use the console in the admin, or POST to its JSON API."


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the screen."""

    cells: Row
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """How large the terminal is."""

    width: int
    height: int

    @property
    def room(self) -> int:
        """Lines between head and foot."""
        return max(1, self.height - AROUND)


def details_of(world: World, view: View, now: float) -> list[Parts]:
    """Return the lines about the place, or process, that *view* has chosen."""
    spot, detail = view.actor, view.detail()
    if spot is None:
        return []
    if detail is None:
        return of_one_process(world.processes.get(spot.process), now)
    gone = spot.process not in world.processes
    said = of_actor(world.detail(detail), spot.path, now, state=view.state)
    return [(Part("this process has ended", "bad"),), *said] if gone else said


def frame(
    world: World, view: View, lines: Sequence[Line], details: Sequence[Parts], size: Size,
    now: float, every: float,
) -> list[Shown]:  # fmt: skip
    """
    Return the lines of the screen: as many as it has.

    Args:
        world: What is known.
        view: What somebody looks at, settled and scrolled.
        lines: The lines of the tree.
        details: Those of the details, if they are shown.
        size: How large the screen is.
        now: The unix time.
        every: Seconds between two rounds.
    """
    if view.screen is Screen.TREE:
        title, body = titles(size.width), _tree(view, lines, size, now)
    elif view.screen is Screen.DETAIL:
        title = _whole(_place(world, view))
        seen = details[view.scroll : view.scroll + size.room]
        body = [Shown(_whole(parts)) for parts in seen]
    else:
        title, body = _whole((Part("KEYS", "title"),)), _help()[: size.room]
    empty = [Shown(())] * (size.room - len(body))
    head = [Shown(_whole(_head(world))), Shown(_whole(_status(view, every))), Shown(title)]
    return [*head, *body, *empty, Shown(_whole(_foot(view)))][: size.height]


def _tree(view: View, lines: Sequence[Line], size: Size, now: float) -> list[Shown]:
    if not lines:
        said = "No process of this project answers. As soon as one does, it is shown here."
        return [Shown(_whole((Part(said, "bad"),)))]
    return [
        Shown(
            cells_of(line, size.width, now, chosen=line.spot == view.chosen, flat=view.flat),
            line.spot == view.chosen,
        )
        for line in on_screen(lines, view, size.room)
    ]


def _help() -> list[Shown]:
    keys = [
        Shown((Cell((Part(f"  {name}", "key"),), 18), Cell((Part(what),)))) for name, what in HELP
    ]
    said = [Shown(_whole((Part(f"  {line}"),))) for line in (_SIGNS, _ACTS)]
    return [*keys, Shown(()), *said]


def _head(world: World) -> Parts:
    unhealthy = sum(_unhealthy(world, each.id) for each in world.answering())
    said = header(world.processes.values(), world.trouble, unhealthy)
    return (Part("greenroom actors", "title"), Part("   "), *said)


def _unhealthy(world: World, process: str) -> int:
    told = number(world.processes[process].facts.get("trouble"))
    if told is not None:
        return int(told)
    return max((words.unhealthy_below(node) for node in world.roots(process)), default=0)


def _status(view: View, every: float) -> Parts:
    paused = Part("PAUSED: p goes on", "warn")
    parts = [paused if view.paused else Part(f"every {duration(every)}", "quiet")]
    if view.path != "/":
        parts.append(Part(f"below {view.path}"))
    if view.unhealthy:
        parts.append(Part("unhealthy only", "warn"))
    if view.sought:
        parts.append(Part(f"with {view.sought!r}", "warn"))
    return joined(parts, "   ")


def _place(world: World, view: View) -> Parts:
    process = world.processes.get(view.actor.process) if view.actor else None
    where = f"pid {process.pid}" if process else "gone"
    silent = Part(
        f"✗ SILENT: {process.silent}; this is how it was" if process and process.silent else "",
        "bad",
    )
    return joined([Part(f"DETAILS  {where}", "title"), silent])


def _foot(view: View) -> Parts:
    if view.typing is not None:
        return (Part("/", "key"), Part(f"{view.typing}_"))
    return (Part(_KEYS[view.screen], "quiet"),)


def _whole(parts: Parts) -> Row:
    return (Cell(parts),)
