# What a key makes of what somebody looks at. Pure: a view, a key and the lines make the next view.

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ._tree import Line
from ._view import Kind, Screen, Spot, View
from ._world import World

MOST_SEARCH = 200
"""Characters that can be looked for."""

_QUIT = ("q", "ctrl-c", "ctrl-d")


def settled(view: View, lines: Sequence[Line], height: int) -> View:
    """
    Return *view* with its chosen line where it is now, and that on the screen.

    Args:
        view: The view.
        lines: The lines that there are now.
        height: How many of them there is room for.
    """
    if not lines:
        return replace(view, chosen=None, index=0, top=0)
    index = next((n for n, line in enumerate(lines) if line.spot == view.chosen), view.index)
    return _at(view, index, lines, height)


def scrolled(view: View, total: int, height: int) -> View:
    """Return *view* with its details scrolled no further than they go."""
    return replace(view, scroll=max(0, min(view.scroll, total - height)))


def press(view: View, key: str, lines: Sequence[Line], world: World, height: int) -> View:
    """
    Return what *key* makes of *view*.

    Args:
        view: The view, settled.
        key: A name of a key, or a character.
        lines: The lines of the tree.
        world: What they were made from.
        height: How many lines there is room for.
    """
    if view.typing is not None:
        return _typed(view, view.typing, key)
    if key in _QUIT:
        return replace(view, over=True)
    if view.screen is Screen.HELP:
        return replace(view, screen=Screen.TREE)
    if key == "?":
        return replace(view, screen=Screen.HELP)
    if key == "p":
        return replace(view, paused=not view.paused)
    if view.screen is Screen.DETAIL:
        return _in_detail(view, key, height)
    if key in _SWITCHES:
        return _SWITCHES[key](view)
    if key in _STEPS:
        far = len(lines)
        return _at(view, _STEPS[key](view.index, height, far), lines, height) if lines else view
    line = lines[view.index] if view.index < len(lines) else None
    return view if line is None else _on_line(view, key, line, lines, world, height)


# -- the keys of the tree ------------------------------------------------------------------------


def _all_again(view: View) -> View:
    if view.search:
        return replace(view, search="", index=0, top=0, chosen=None)
    return replace(view, unhealthy=False)


_SWITCHES: Mapping[str, Callable[[View], View]] = {
    "/": lambda view: replace(view, typing=view.search),
    "u": lambda view: replace(view, unhealthy=not view.unhealthy),
    "escape": _all_again,
}
_STEPS: Mapping[str, Callable[[int, int, int], int]] = {
    "up": lambda index, _height, _far: index - 1,
    "k": lambda index, _height, _far: index - 1,
    "down": lambda index, _height, _far: index + 1,
    "j": lambda index, _height, _far: index + 1,
    "page up": lambda index, height, _far: index - height,
    "page down": lambda index, height, _far: index + height,
    " ": lambda index, height, _far: index + height,
    "home": lambda _index, _height, _far: 0,
    "g": lambda _index, _height, _far: 0,
    "end": lambda _index, _height, far: far,
    "G": lambda _index, _height, far: far,
}


def _on_line(
    view: View, key: str, line: Line, lines: Sequence[Line], world: World, height: int
) -> View:
    if key in ("enter", "right", "l"):
        if line.spot.kind in (Kind.MORE, Kind.EARLIER):
            return _turned(view, line, world)
        if line.open is False:
            return _opened(view, line.spot, True)
        if key == "enter":
            return _opened(view, line.spot, False) if line.open else _details(view, line)
        return _at(view, view.index + 1, lines, height) if line.open else view
    if key in ("left", "h"):
        if line.open:
            return _opened(view, line.spot, False)
        above = next((n for n, each in enumerate(lines) if each.spot == line.above), view.index)
        return _at(view, above, lines, height)
    return _details(view, line) if key == "d" else view


def _opened(view: View, spot: Spot, is_open: bool) -> View:
    return replace(view, opened={**view.opened, spot: is_open})


def _turned(view: View, line: Line, world: World) -> View:
    first = view.first(line.spot.process, line.spot.path)
    page = view.page(first)
    if line.spot.kind is Kind.EARLIER:
        return replace(view, pages={**view.pages, first: page.earlier()})
    found = world.found(line.wants[0])
    if found is None:
        return view
    # A longer page would end where this one does, if that has looked at as much as it may.
    page = page.more(found.next, len(found.rows), 0 if found.partial else view.limit)
    return replace(view, pages={**view.pages, first: page})


def _details(view: View, line: Line) -> View:
    if line.spot.kind not in (Kind.PLACE, Kind.PROCESS):
        return view
    return replace(view, screen=Screen.DETAIL, actor=line.spot, scroll=0, state=False, watch=False)


def _at(view: View, index: int, lines: Sequence[Line], height: int) -> View:
    index = max(0, min(index, len(lines) - 1))
    top = max(0, min(view.top, len(lines) - height))
    top = max(min(top, index), index - height + 1)
    return replace(view, index=index, top=top, chosen=lines[index].spot)


# -- elsewhere -----------------------------------------------------------------------------------


def _typed(view: View, typing: str, key: str) -> View:
    if key == "ctrl-c":
        return replace(view, over=True)
    if key == "enter":
        return replace(view, search=typing.strip(), typing=None, index=0, top=0, chosen=None)
    if key == "escape":
        return replace(view, typing=None)
    if key == "backspace":
        return replace(view, typing=typing[:-1])
    if len(key) == 1 and len(typing) < MOST_SEARCH:
        return replace(view, typing=typing + key)
    return view


def _in_detail(view: View, key: str, height: int) -> View:
    if key in ("escape", "left", "h", "backspace", "d"):
        return replace(view, screen=Screen.TREE)
    if key == "s":
        return replace(view, state=not view.state)
    if key == "w":
        return replace(view, watch=not view.watch)
    if key not in _STEPS:
        return view
    step = _STEPS[key](view.scroll, height, 1_000_000)
    return replace(view, scroll=max(0, step))
