# The lines of the tree.

from dataclasses import replace

from terminal_trees import Trees, crowd, row, seen, small_tree, who

from greenroom.bridges.django.terminal._said import EVERYBODY
from greenroom.bridges.django.terminal._tree import Line, lines_of
from greenroom.bridges.django.terminal._view import Kind, Spot, View
from greenroom.bridges.django.terminal._world import World

ROOM = Spot(who()["id"], "/connections/room")


def shown(lines: list[Line]) -> list[str]:
    """The lines as short texts: indentation, whether open, and the name."""
    marks = {None: "  ", True: "v ", False: "> "}
    names = [
        f"pid {line.process.pid}" if line.process else line.note or line.spot.path for line in lines
    ]
    return [
        f"{' ' * line.depth}{marks[line.open]}{name}"
        for line, name in zip(lines, names, strict=True)
    ]


def test_a_small_tree_is_open() -> None:
    """
    Of a small tree all places are shown, in order, each below its parent.
    """
    world = seen(Trees({7: small_tree()}), View())

    assert shown(lines_of(world, View())) == [
        "v pid 7",
        " v /connections",
        "  v /connections/room",
        "     /connections/room/1",
        " v /residents",
        "    /residents/greeter",
        "    /residents/feed",
    ]


def test_many_children_are_closed_until_opened() -> None:
    """
    A route with many connections is closed; opened it shows a page, and how many more there are.
    """
    trees = Trees({7: crowd(12_395)})
    view = View()
    assert "  > /connections/room" in shown(lines_of(seen(trees, view), view))

    view = replace(view, opened={ROOM: True})
    lines = lines_of(seen(trees, view), view)
    assert "     /connections/room/49" in shown(lines)
    assert "     /connections/room/50" not in shown(lines)
    more = [line for line in lines if line.spot.kind is Kind.MORE]
    assert [line.note for line in more] == ["... 12,345 more"]


def test_what_is_not_asked_yet() -> None:
    """
    A place whose children are not known yet says so with three dots, and wants them.
    """
    trees = Trees({7: small_tree()})
    world = World()
    world.hear(trees(EVERYBODY, None), 0.0)

    lines = lines_of(world, View())
    assert [line.note for line in lines] == ["", "..."]
    assert lines[1].wants[0].path == "/"


def test_what_is_looked_for_is_a_list() -> None:
    """
    With a search, or unhealthy only, what is found stands below its process as a list.
    """
    trees = Trees({7: small_tree(), 8: small_tree()})

    view = View(unhealthy=True)
    lines = lines_of(seen(trees, view), view)
    assert shown(lines) == ["v pid 7", "   /residents/feed", "v pid 8", "   /residents/feed"]

    view = View(search="nobody")
    assert "   nothing is found" in shown(lines_of(seen(trees, view), view))


def test_it_may_begin_deeper() -> None:
    """
    With a path that place is the first below its process; where it is not, the process says so.
    """
    trees = Trees({7: small_tree(), 8: small_tree(row("/residents/db", children=1))})

    view = View(path="/residents/db")
    lines = shown(lines_of(seen(trees, view), view))
    assert lines[:2] == ["v pid 7", "   no actor lives at '/residents/db'"]
    assert lines[2:4] == ["v pid 8", " v /residents/db"]


def test_a_depth_closes_what_is_deeper() -> None:
    """
    With a depth only so many levels are open at first.
    """
    trees = Trees({7: small_tree()})

    view = View(depth=1)
    assert shown(lines_of(seen(trees, view), view)) == [
        "v pid 7",
        " > /connections",
        " > /residents",
    ]
    view = View(depth=0)
    assert shown(lines_of(seen(trees, view), view)) == ["> pid 7"]


def test_many_processes_are_closed() -> None:
    """
    Of more than eight processes each is one line until it is opened.
    """
    trees = Trees({pid: small_tree() for pid in range(1, 10)})

    assert len(lines_of(seen(trees, View()), View())) == 9


def test_a_silent_process_is_shown_as_it_was() -> None:
    """
    Below a silent process stands what was last seen, or that nothing was.
    """
    trees = Trees({7: small_tree(), 8: None})
    world = seen(trees, View())
    trees.trees[7] = None
    world.hear(trees(EVERYBODY, None), 0.0)

    lines = shown(lines_of(world, View()))
    assert "    /residents/feed" in lines
    assert lines[-2:] == ["v pid 8", "   not seen before it fell silent"]
