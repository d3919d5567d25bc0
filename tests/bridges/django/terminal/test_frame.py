# The whole screen, as lines of cells, and as text in so many columns.

from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from terminal_trees import ESCAPES, NOW, Trees, row, seen, small_tree, who

from greenroom.bridges.django.terminal._frame import Size, details_of, frame
from greenroom.bridges.django.terminal._press import settled
from greenroom.bridges.django.terminal._said import EVERYBODY
from greenroom.bridges.django.terminal._screen import text_of
from greenroom.bridges.django.terminal._tree import lines_of
from greenroom.bridges.django.terminal._view import Screen, Spot, View
from greenroom.bridges.django.terminal._world import World

USUAL = Size(120, 20)


def drawn(world: World, view: View, size: Size = USUAL) -> list[str]:
    """The screen as lines of text."""
    lines = lines_of(world, view)
    view = settled(view, lines, size.room)
    details = details_of(world, view, NOW) if view.screen is Screen.DETAIL else []
    shown = frame(world, view, lines, details, size, NOW, 1.0)
    return [text_of(line, size.width).plain.rstrip() for line in shown]


def of(*rows: Any, view: View | None = None, size: Size = USUAL) -> list[str]:
    view = view or View()
    return drawn(seen(Trees({7: small_tree(*rows)}), view), view, size)


def test_a_screen() -> None:
    """
    Totals stand above, then the tree as a table, then the keys.
    """
    screen = of(size=Size(160, 20))

    assert screen[0].startswith("greenroom actors   1 process  3 connections  ▲ 1 unhealthy")
    assert screen[1] == "every 1.0 s"
    titles = screen[2].split()
    assert titles == ["PLACE", "STATE", "EPOCH", "UP", "RESTARTS", "MAILBOX", "NOW"]
    assert screen[3].startswith("» ▾ pid 7 on web  ● ready")
    feed = next(line for line in screen if "feed" in line)
    assert feed.split("  ")[0] == ""
    for word in ("Feed", "↻ backing off", "3, 0 left", "0/256", "starts in 2.5 s", "ValueError"):
        assert word in feed
    assert "q quit" in screen[-1]
    assert len(screen) == 20


@pytest.mark.parametrize("width", [20, 40, 79, 80, 100, 120, 240])
def test_it_is_as_wide_as_the_terminal(width: int) -> None:
    """
    No line is wider than the terminal, not even with wide characters in it, and the state of each
    place is seen in 60 columns.
    """
    view = View()
    world = seen(Trees({7: small_tree(row("/residents/" + "部屋" * 60))}), view)
    lines = lines_of(world, view)
    for line in frame(world, settled(view, lines, 16), lines, [], Size(width, 20), NOW, 1.0):
        assert cell_len(text_of(line, width).plain) <= width

    if width >= 60:
        assert any("backing off" in line for line in drawn(world, view, Size(width, 20)))


@pytest.mark.parametrize("height", [1, 3, 5, 8, 50])
def test_it_is_as_high_as_the_terminal(height: int) -> None:
    """
    There are as many lines as the terminal has, even if it has hardly any.
    """
    for screen in Screen:
        view = View(screen=screen, actor=Spot(who()["id"], "/residents/feed"))
        world = seen(Trees({7: small_tree()}), View())
        lines = lines_of(world, view)
        details = details_of(world, view, NOW)
        shown = frame(world, view, lines, details, Size(80, height), NOW, 1.0)
        assert len(shown) == max(height, 1)


def test_what_is_looked_for_is_said() -> None:
    """
    A filter that hides the rest, and a pause, are said above the tree; what is typed below it.
    """
    view = View(unhealthy=True, typing="ada", paused=True)

    screen = of(view=view)
    assert screen[1] == "PAUSED: p goes on   unhealthy only   with 'ada'"
    assert screen[-1] == "/ada_"


def test_nobody_is_there_any_more() -> None:
    """
    When all processes have gone it says so, with the reason if there is one.
    """
    world = World()
    world.trouble = "the directory is somebody else's"

    screen = drawn(world, View())
    assert "the directory is somebody else's" in screen[0]
    assert screen[3].startswith("No process of this project answers.")


def test_the_silent_are_seen() -> None:
    """
    A silent process is called that in the header, on its line, and above its actors' details.
    """
    trees = Trees({7: small_tree(), 8: None})
    world = seen(trees, View())
    screen = drawn(world, View())
    assert "2 processes  ✗ 1 silent" in screen[0]
    assert any("pid 8 on web  ✗ SILENT: no answer within 1 s" in line for line in screen)

    trees.trees[7] = None
    world.hear(trees(EVERYBODY, None), NOW)
    view = View(screen=Screen.DETAIL, actor=Spot(who()["id"], "/residents/feed"))
    assert "SILENT" in drawn(world, view)[2]


def test_what_was_chosen_has_gone() -> None:
    """
    The details of an actor whose process has ended say that it has.
    """
    view = View(screen=Screen.DETAIL, actor=Spot("gone", "/residents/feed"))

    assert "this process has ended" in drawn(World(), view)


def test_hostile_names_are_text() -> None:
    """
    Escape sequences and rich's own markup in names are shown as what they are.
    """
    markup = "[red]x[/red]"
    bad = row("/residents/x", name="x", actor=markup, facts={"user": ESCAPES}, healthy=False)

    screen = of(bad, size=Size(200, 20))
    assert all(line.isprintable() for line in screen)
    assert any("[red]x[/red]" in line for line in screen)
    assert any("\\x1b[2J" in line for line in screen)


def test_a_closed_place_says_how_much_is_in_it() -> None:
    """
    The number of places below one, and of those in trouble, stands on its line.
    """
    crowd = row("/residents/crowd", children=12_345)
    crowd = {**crowd, "below": {"total": 12_345, "states": {}, "unhealthy": 3}}

    assert any("12,345 below, 3 unhealthy" in line for line in of(crowd, size=Size(160, 20)))


def test_help_names_every_key() -> None:
    """
    The page of keys names each, what the signs mean, and where one acts.
    """
    screen = "\n".join(drawn(World(), replace(View(), screen=Screen.HELP), Size(120, 30)))

    for key in ("/", "u", "p", "d", "s", "q"):
        assert f"\n  {key}" in screen
    assert "↻ backs off" in screen
    assert "to act, use the console in the admin" in screen
