# What is remembered of what the processes said.

from terminal_trees import NOW, Trees, seen, small_tree, who

from greenroom.bridges.django.terminal._said import EVERYBODY, Heard, Said
from greenroom.bridges.django.terminal._view import View
from greenroom.bridges.django.terminal._world import Branch, Detail, World

ROOT = Branch(who()["id"], "/")


def test_last_seen() -> None:
    """
    A process that falls silent keeps what it had said, and one that has gone does not.
    """
    trees = Trees({7: small_tree(), 8: small_tree()})
    world = seen(trees, View())

    trees.trees = {7: None}
    world.hear(trees(EVERYBODY, None), NOW + 10)

    assert list(world.processes) == [who(7)["id"]]
    process = world.processes[who(7)["id"]]
    assert process.silent == "no answer within 1 s"
    assert process.facts["connections"] == {"open": 3}
    assert process.heard == NOW
    assert world.found(ROOT) is not None
    assert world.found(Branch(who(8)["id"], "/")) is None


def test_bounded() -> None:
    """
    What nobody looks at any more is forgotten.
    """
    world = seen(Trees({7: small_tree()}), View())
    detail = Detail(who()["id"], "/residents/greeter")
    world.learn(detail, [Said(who(), {"row": {}})])

    world.keep({ROOT})

    assert world.knows(ROOT)
    assert not world.knows(detail)
    assert not world.knows(Branch(who()["id"], "/residents"))


def test_a_longer_question() -> None:
    """
    Until a longer question about a place is answered, what a shorter one was told is there.
    """
    world = seen(Trees({7: small_tree()}), View())
    short, long = (Detail(who()["id"], "/residents/feed", state) for state in (False, True))
    world.learn(short, [Said(who(), {"row": {}})])

    world.keep({long})
    assert world.detail(long) == {"row": {}}
    assert world.detail(Detail(who()["id"], "/residents/greeter")) is None
    world.learn(long, [Said(who(), {"state": 1})])
    assert world.detail(long) == {"state": 1}


def test_an_answer_that_did_not_come() -> None:
    """
    A process that does not answer a question leaves what is known of it as it was.
    """
    world = seen(Trees({7: small_tree()}), View())
    before = world.found(ROOT)

    world.learn(ROOT, [Said(who(), None, "no answer within 1 s")])

    assert world.found(ROOT) is before


def test_only_one_process_counts() -> None:
    """
    With a pid, or an id, the other processes are not there.
    """
    trees = Trees({7: small_tree(), 8: small_tree()})

    for name in ("8", who(8)["id"]):
        world = World(name)
        world.hear(trees(EVERYBODY, None), NOW)
        assert [each.pid for each in world.processes.values()] == [8]


def test_an_answer_of_any_shape() -> None:
    """
    An answer without the fields that are known is an empty page, and no failure.
    """
    world = World()
    world.hear(Heard([Said(who(), {})]), NOW)

    world.learn(ROOT, [Said(who(), {"rows": "none", "total": "many", "next": 5, "node": []})])

    found = world.found(ROOT)
    assert found is not None
    assert (list(found.rows), found.total, found.next) == ([], 0, "5")


def test_refused() -> None:
    """
    A question that a process refuses has its reason.
    """
    world = seen(Trees({7: small_tree()}), View(path="/nowhere"))

    found = world.found(Branch(who()["id"], "/nowhere"))
    assert found is not None
    assert (found.error, found.code) == ("no actor lives at '/nowhere'", "not-found")
