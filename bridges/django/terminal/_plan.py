# Whom to ask what next: only what is on the screen, and first what is not there yet. Pure.

from collections.abc import Iterable, Sequence

from ._tree import Line
from ._view import Screen, View
from ._world import Branch, Wanted, World


def on_screen(lines: Sequence[Line], view: View, height: int) -> Sequence[Line]:
    """Return the lines that are seen."""
    return lines[view.top : view.top + height]


def plan(lines: Sequence[Line], view: View, world: World, height: int) -> list[Wanted]:
    """
    Return what to ask, in order; each of one process, and only of those that answer.

    Args:
        lines: The lines of the tree.
        view: What somebody looks at, settled.
        world: What is known.
        height: How many lines there is room for.
    """
    answering = {each.id for each in world.answering()}
    if view.screen is Screen.DETAIL:
        detail = view.detail()
        return [detail] if detail is not None and detail.process in answering else []
    seen = _once(branch for line in on_screen(lines, view, height) for branch in line.wants)
    wanted: list[Wanted] = [branch for branch in seen if branch.process in answering]
    # sorted() is stable: what is not there yet first, the rest from top to bottom.
    return sorted(wanted, key=world.knows)


def kept(lines: Iterable[Line], view: View) -> set[Wanted]:
    """Return what is to be remembered: all that *lines* were made from, and the details."""
    found: set[Wanted] = {branch for line in lines for branch in line.wants}
    detail = view.detail()
    return found if detail is None else {*found, detail}


def _once(branches: Iterable[Branch]) -> list[Branch]:
    return list(dict.fromkeys(branches))
