# Names, listings and groups: reference scenarios 110 to 118.

from conformance.kit import Journal, member, tree
from trio.testing import MockClock


async def test_110_listings(clock: MockClock, journal: Journal) -> None:
    """
    A subscriber gets the listing as it is, then each change; an end takes its entries everywhere.
    """
    seen: dict[str, list[list[str]]] = {"one": [], "two": []}
    children = [member(journal, name, restart="transient") for name in "ab"]
    async with tree(journal, children) as t:
        await t.ask("a", "enlist", key="one")
        for key, listings in seen.items():
            t.subscribe(key, listings.append)
        assert seen == {"one": [["a"]], "two": [[]]}
        await t.ask("a", "enlist", key="two")
        await t.ask("b", "enlist", key="one")
        await t.ask("b", "delist", key="one")
        await t.ask("b", "enlist", key="one")
        await t.s.stop_child("a")
        assert seen["one"] == [["a"], ["a", "b"], ["a"], ["a", "b"], ["b"]]
        assert seen["two"] == [[], ["a"], []]


async def test_111_a_name_has_one_owner(clock: MockClock, journal: Journal) -> None:
    """
    A second registration, by another or by the owner, is told whose it is, and changes nothing.
    """
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        assert await t.ask("b", "register", key="other", value=0) == "ok"
        assert await t.ask("a", "register", key="name", value=1) == "ok"
        for name in "ab":
            assert await t.ask(name, "register", key="name", value=2) == "a has it"
        assert t.whereis("name") == ("a", 1)
        assert t.whereis("other") == ("b", 0)
        await t.ask("b", "unregister", key="name")
        assert t.whereis("name") == ("a", 1)


async def test_113_names_end_with_their_owner(clock: MockClock, journal: Journal) -> None:
    """
    The end of an owner frees all its names; unlike in Elixir a crash that is restarted does not.
    """
    async with tree(journal, [member(journal, "a", restart="transient")]) as t:
        for key in ("one", "two"):
            await t.ask("a", "register", key=key)
        t.tell("a", "crash")
        await t.calm()
        assert t.epochs() == {"a": 2}
        assert t.whereis("one") == t.whereis("two") == ("a", None)
        t.tell("a", "kill")
        await t.calm()
        assert t.whereis("one") is t.whereis("two") is None


async def test_114_only_the_owner_changes_the_value(clock: MockClock, journal: Journal) -> None:
    """
    Others are refused, and their function is not run.
    """
    ran: list[object] = []

    def more(value: int) -> int:
        ran.append(value)
        return value + 1

    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        await t.ask("a", "register", key="name", value=1)
        assert await t.ask("b", "update", key="name", function=more) == "not yours"
        assert await t.ask("a", "update", key="name", function=more) == 2
        assert await t.ask("a", "update", key="unknown", function=more) == "not yours"
        assert t.whereis("name") == ("a", 2)
        assert ran == [1]


async def test_115_listeners(clock: MockClock, journal: Journal) -> None:
    """
    Whoever listens is told of each name taken or freed, with its owner and value.
    """
    heard: list[tuple[str, str, str, object]] = []
    async with tree(journal, [member(journal, "a")]) as t:
        t.listen(lambda *change: heard.append(change))
        await t.ask("a", "register", key="one", value=1)
        await t.ask("a", "register", key="two", value=2)
        await t.ask("a", "unregister", key="one")
        await t.s.stop_child("a")
    assert heard == [
        ("registered", "one", "a", 1),
        ("registered", "two", "a", 2),
        ("unregistered", "one", "a", 1),
        ("unregistered", "two", "a", 2),
    ]


async def test_116_a_key_that_many_share(clock: MockClock, journal: Journal) -> None:
    """
    One actor may hold it twice; a dispatch meets its entries, and does nothing without any.
    """
    met: list[list[str]] = []
    async with tree(journal, [member(journal, "a"), member(journal, "b")]) as t:
        for name, key in (("a", "one"), ("a", "one"), ("b", "one"), ("b", "two")):
            await t.ask(name, "enlist", key=key)
        assert t.dispatch("nobody", met.append) == 0
        assert t.dispatch("one", met.append) == 3
        assert t.dispatch("two", met.append) == 1
        assert met == [["a", "a", "b"], ["b"]]


async def test_118_groups(clock: MockClock, journal: Journal) -> None:
    """
    A broadcast reaches each member once and no other group; a member can leave itself out.
    """
    children = [member(journal, name) for name in "abc"]
    async with tree(journal, children) as t:
        for name, group in (("a", "x"), ("a", "x"), ("b", "x"), ("c", "y")):
            await t.ask(name, "join", group=group)
        mark = len(journal.lines)
        await t.ask("a", "publish", group="x", text="to all")
        await t.calm()
        assert sorted(journal.since(mark)) == ["a to all", "b to all"]
        await t.ask("a", "publish_others", group="x", text="to others")
        await t.ask("c", "publish_others", group="x", text="from outside")
        await t.calm()
        assert sorted(journal.since(mark + 2)) == [
            "a from outside",
            "b from outside",
            "b to others",
        ]
        mark = len(journal.lines)
        await t.ask("c", "leave", group="x")
        await t.ask("c", "leave", group="nobody")
        await t.ask("b", "leave", group="x")
        assert t.broadcast("x", type="note", text="who is left") == 1
        assert t.broadcast("nobody", type="note", text="?") == 0
        await t.calm()
        assert journal.since(mark) == ["a who is left"]
