# The lines of the tree, and which page each belongs to, so that only what is on the screen is
# asked for. Pure.

from collections.abc import Iterator
from dataclasses import dataclass

from . import _words as words
from ._data import Data, text
from ._units import count
from ._view import OPEN_MOST, OPEN_PROCESSES, Kind, Spot, View
from ._world import Branch, Process, World


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a process, a place, or what stands for others."""

    spot: Spot
    depth: int
    above: Spot | None = None
    """The line that it is below."""
    open: bool | None = None
    """Whether what is below it is shown; None if nothing is below it."""
    row: Data | None = None
    """What is known of the place."""
    process: Process | None = None
    note: str = ""
    """What it says, if it is neither a process nor a place."""
    wants: tuple[Branch, ...] = ()
    """The pages that it, and what would be right below it, are from."""


def lines_of(world: World, view: View) -> list[Line]:
    """Return all lines that *view* shows of *world*, on the screen or not."""
    few = len(world.processes) <= OPEN_PROCESSES
    found: list[Line] = []
    for process in world.processes.values():
        spot = Spot(process.id, "", Kind.PROCESS)
        is_open = view.opened.get(spot, few and view.depth != 0)
        branch = view.branch(process.id, view.path)
        at = world.found(branch)
        node = at.node if at else None
        found.append(Line(spot, 0, None, is_open, node, process, wants=(branch,)))
        if not is_open:
            continue
        if node and view.path != "/" and not view.flat:
            found.extend(_place(world, view, node, branch, spot, 1))
        else:
            found.extend(_below(world, view, branch, spot, 1))
    return found


def _below(world: World, view: View, branch: Branch, above: Spot, depth: int) -> Iterator[Line]:
    found = world.found(branch)
    if found is None or found.error:
        silent = world.processes[branch.process].silent
        said = found.error if found else "not seen before it fell silent" if silent else "..."
        yield _other(branch, above, depth, Kind.NOTE, said)
        return
    skipped = sum(view.page(view.first(branch.process, branch.path)).skipped)
    if skipped:
        yield _other(branch, above, depth, Kind.EARLIER, f"... {count(skipped)} before")
    for row in found.rows:
        yield from _place(world, view, row, branch, above, depth)
    if found.next:
        left = found.total - skipped - len(found.rows)
        # Of what is looked for nobody knows how many there are.
        more = f"... {count(left)} more" if left > 0 and not view.flat else "... more"
        yield _other(branch, above, depth, Kind.MORE, more)
    elif not found.rows and not skipped:
        nothing = "nothing is found" if view.flat else "nothing is below"
        yield _other(branch, above, depth, Kind.NOTE, nothing)


def _place(
    world: World, view: View, row: Data, branch: Branch, above: Spot, depth: int
) -> Iterator[Line]:
    path = text(row.get("path"))
    spot = Spot(branch.process, path)
    many = words.below(row)
    if view.flat or not many or not path:
        yield Line(spot, depth, above, None, row, wants=(branch,))
        return
    near = view.depth is None or depth < view.depth
    is_open = view.opened.get(spot, near and many <= OPEN_MOST)
    inner = view.branch(branch.process, path)
    yield Line(spot, depth, above, is_open, row, wants=(branch, inner) if is_open else (branch,))
    if is_open:
        yield from _below(world, view, inner, spot, depth + 1)


def _other(branch: Branch, above: Spot, depth: int, kind: Kind, note: str) -> Line:
    spot = Spot(branch.process, branch.path, kind)
    return Line(spot, depth, above, note=note, wants=(branch,))
