# Whom to ask what.

from dataclasses import replace

from terminal_trees import Trees, crowd, seen, small_tree, who

from greenroom.bridges.django.terminal._plan import kept, plan
from greenroom.bridges.django.terminal._said import EVERYBODY
from greenroom.bridges.django.terminal._tree import lines_of
from greenroom.bridges.django.terminal._view import Kind, Screen, Spot, View
from greenroom.bridges.django.terminal._world import Branch, Detail, Wanted, World


def paths(wanted: list[Wanted]) -> list[str]:
    return [each.path for each in wanted]


def test_only_what_is_on_the_screen_is_asked() -> None:
    """
    Pages of lines that are scrolled away are not asked for; they are remembered.
    """
    world = seen(Trees({7: small_tree()}), View())
    lines = lines_of(world, View())

    assert paths(plan(lines, View(), world, 10)) == [
        "/", "/connections", "/connections/room", "/residents",
    ]  # fmt: skip
    assert paths(plan(lines, View(top=5), world, 10)) == ["/residents"]
    assert {each.path for each in kept(lines, View(top=5))} >= {"/", "/connections/room"}


def test_what_is_missing_comes_first() -> None:
    """
    What was never seen is asked for before what is only to be seen again.
    """
    trees = Trees({7: crowd(100)})
    world = seen(trees, View())
    view = View(opened={Spot(who()["id"], "/connections/room"): True})

    assert paths(plan(lines_of(world, view), view, world, 20))[0] == "/connections/room"


def test_the_silent_are_not_asked() -> None:
    """
    A process that is silent is asked how it is, and nothing else.
    """
    trees = Trees({7: small_tree(), 8: small_tree()})
    world = seen(trees, View())
    trees.trees[7] = None
    world.hear(trees(EVERYBODY, None), 0.0)

    wanted = plan(lines_of(world, View()), View(), world, 50)
    assert {each.process for each in wanted} == {who(8)["id"]}


def test_details_alone_are_asked_for() -> None:
    """
    While details are shown nothing else is asked for; those of a process are known anyway.
    """
    world = seen(Trees({7: small_tree()}), View())
    lines = lines_of(world, View())
    view = View(screen=Screen.DETAIL, actor=Spot(who()["id"], "/residents/feed"))

    assert plan(lines, view, world, 10) == [Detail(who()["id"], "/residents/feed")]
    assert Detail(who()["id"], "/residents/feed") in kept(lines, view)
    view = replace(view, actor=Spot(who()["id"], "", Kind.PROCESS))
    assert plan(lines, view, world, 10) == []


def test_a_question_has_only_what_is_wanted() -> None:
    """
    A field that is not used is not in the question, so that older processes answer it, too.
    """
    assert Branch("p", "/").question() == {"ask": "tree", "path": "/", "limit": 50}
    full = Branch("p", "/", "x", "ada", True, 7).question()
    assert full == {
        "ask": "tree", "path": "/", "limit": 7, "after": "x", "search": "ada", "unhealthy": True,
    }  # fmt: skip
    assert Detail("p", "/a", state=True).question() == {
        "ask": "actor", "path": "/a", "traceback": True, "stack": True, "state": True,
    }  # fmt: skip


def test_nobody_is_there() -> None:
    """
    With no process nothing is asked.
    """
    assert plan([], View(), World(), 10) == []
