# Topics and who is present in them: page by page, each process for its own, and never with what
# somebody says of himself.

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from helpers import running
from inspection_trees import Room, attached, opened

from greenroom.actors import Actor, PresenceDiff, handles
from greenroom.actors._presence import Presence
from greenroom.bridges.inspection import _ask_presence as question
from greenroom.bridges.inspection._steps import STEP
from greenroom.supervisor import Presences, Root
from greenroom.supervisor._presence_replica import Entry
from greenroom.supervisor._presence_wire import News, packed
from greenroom.supervisor._slot import Slot

from .asking import asked, paged, steps_counted

MANY = 100_000
META = {"secret": "what-somebody-says-of-himself"}


class Host(Actor):
    """Watches a topic and is present in it."""

    async def started(self) -> None:
        self.presence_watch("lobby")
        self.presence_track("lobby", "host", META)

    @handles(PresenceDiff)
    async def on_presence(self) -> None:
        pass


def elsewhere(root: Root, topic: str, key: str) -> None:
    """Have another process say that *key* is present in *topic* there."""
    presence = Presence(key, META, 5.0, "/connections/room/1", "other:1")
    news = News("state", "other", 1, put=[Entry(topic, presence)])
    root.presences.deliver(packed(news))


@contextmanager
def present(root: Root, topic: str, *keys: str) -> Iterator[list[Slot]]:
    """Slots of a route, the nth of which is present in *topic* as the nth of *keys*."""
    with attached(root, len(keys)) as slots:
        for slot, key in zip(slots, keys, strict=True):
            root.presences.track(topic, key, slot, META, 100)
        yield slots
        for slot in slots:
            root.presences.release(slot)


async def test_topics() -> None:
    """
    A topic says how many keys are listed of all processes, how many presences are of this one, and
    how many watch here.
    """
    async with running(Host, room=Room) as server:
        with present(server.root, "lobby", "ann", "ann"):
            elsewhere(server.root, "lobby", "bob")
            answer = await asked(server, "presence")
            assert answer == {
                "rows": [{"topic": "lobby", "keys": 3, "here": 3, "watchers": 1}],
                "next": None,
                "total": 1,
            }


async def test_pages_of_topics() -> None:
    """
    Topics come in the order of their names, page by page, and are searched by a part of them.
    """
    async with opened(0) as server:
        with attached(server.root, 1) as [slot]:
            names = [f"topic {number:02}" for number in range(25)]
            for name in reversed(names):
                server.root.presences.track(name, "ann", slot, None, 100)
            rows = await paged(server, "presence", limit=10)
            assert [row["topic"] for row in rows] == names
            found = await paged(server, "presence", limit=2, search="TOPIC 1")
            assert [row["topic"] for row in found] == names[10:20]


async def test_presences() -> None:
    """
    Who is present in a topic comes by key, then in the order they came, with who that is.
    """
    async with opened(0) as server:
        with present(server.root, "lobby", "bob", *["ann"] * 12):
            rows = await paged(server, "presence", topic="lobby", limit=5)
            paths = [f"/connections/room/{number}" for number in (*range(2, 14), 1)]
            assert [row["path"] for row in rows] == paths
            assert rows[0].pop("since") > 10**9
            assert rows[0] == {
                "key": "ann", "path": paths[0], "actor": "Room", "user": "user-1",
            }  # fmt: skip
            found = await asked(server, "presence", topic="lobby", search="BOB")
            assert [row["key"] for row in found["rows"]] == ["bob"]
            found = await asked(server, "presence", topic="lobby", search="room/13")
            assert [row["path"] for row in found["rows"]] == [paths[-2]]
            assert (found["keys"], found["here"], found["total"]) == (2, 13, 13)


async def test_each_process_tells_its_own() -> None:
    """
    What is present in another process counts among the keys, and is listed by that process alone.
    """
    async with opened(0) as server:
        with present(server.root, "lobby", "ann"):
            elsewhere(server.root, "lobby", "bob")
            answer = await asked(server, "presence", topic="lobby")
            assert [row["key"] for row in answer["rows"]] == ["ann"]
            assert (answer["keys"], answer["here"], answer["total"]) == (2, 1, 1)
        elsewhere(server.root, "hall", "bob")
        answer = await asked(server, "presence", topic="lobby")
        assert (answer["keys"], answer["here"], answer["rows"]) == (2, 0, [])


async def test_its_meta_is_told_nowhere() -> None:
    """
    What a presence says of itself is in no answer, whatever is asked.
    """
    async with running(Host, room=Room) as server:
        with present(server.root, "lobby", "ann"):
            elsewhere(server.root, "lobby", "bob")
            asks: list[dict[str, Any]] = [
                {"what": "presence"},
                {"what": "presence", "topic": "lobby"},
                {"what": "actor", "path": "/residents/host", "state": True},
                {"what": "actor", "path": "/connections/room/1"},
                {"what": "events", "limit": 500},
                {"what": "metrics"},
                {"what": "tree", "path": "/residents"},
                {"what": "process"},
            ]
            told = [str(await asked(server, **each)) for each in asks]
            assert [text for text in told if "'error'" in text] == []
            assert sum("lobby" in text for text in told) >= 3
            assert META["secret"] not in f"{told}"


async def test_who_has_ended_meanwhile() -> None:
    """
    A presence whose slot is not in the tree any more is told without an actor.
    """
    async with opened(0) as server:
        with attached(server.root, 1) as [slot]:
            server.root.presences.track("lobby", "ann", slot, None, 100)
        [row] = (await asked(server, "presence", topic="lobby"))["rows"]
        assert (row["key"], row["actor"], row["user"]) == ("ann", "", "")


async def test_nobody_there() -> None:
    """
    A topic of which nothing is known is told so, and what is no cursor is refused.
    """
    async with opened(0) as server:
        answer = await asked(server, "presence", topic="lobby")
        assert answer["error"] == {
            "code": "not-found",
            "text": "nobody is present in the topic 'lobby', or watches it, as far as is known"
            " here",
        }
        for topic in ("", "lobby"):
            for after in ("x", "WzEsMl0", "WzBd"):
                answer = await asked(server, "presence", topic=topic, after=after)
                assert answer["error"]["code"] == "bad-question"


@pytest.mark.parametrize("letter", ["\N{GRINNING FACE}", "\N{EURO SIGN}", '"', "x"])
async def test_long_names(letter: str) -> None:
    """
    Names as long as may be, in any script, have pages as all others.
    """
    names = [letter * 199 + end for end in "abc"]
    async with opened(0) as server:
        with present(server.root, "lobby", *names), attached(server.root, 1) as [slot]:
            rows = await paged(server, "presence", topic="lobby", limit=1)
            assert [row["key"] for row in rows] == names
            for name in names:
                server.root.presences.track(name, "ann", slot, None, 100)
                server.root.groups.join(name, slot)
            rows = await paged(server, "presence", limit=1, search=letter)
            assert [row["topic"] for row in rows] == names
            rows = await paged(server, "groups", limit=1)
            assert [row["group"] for row in rows] == names
            server.root.groups.leave_all(slot)


async def test_topics_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many topics there are, so many and no more are looked at between two turns.
    """
    async with opened(0) as server, steps_counted() as steps:
        with attached(server.root, 1) as [slot]:
            for number in range(1000):
                server.root.presences.track(f"topic {number}", "ann", slot, None, 1000)
            tally = Presences.tally

            def counted(presences: Presences, topic: str) -> object:
                steps.look()
                return tally(presences, topic)

            monkeypatch.setattr(Presences, "tally", counted)
            turns = len(steps.turns)
            assert (await asked(server, "presence", search="nothing"))["rows"] == []
            assert len(steps.turns) - turns >= 1000 / STEP
            assert len((await asked(server, "presence", limit=50))["rows"]) == 50
            assert max(steps.turns) <= STEP
            assert sum(steps.turns) == 50


async def test_presences_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many are present in a topic, so many and no more are looked at between two turns.
    """
    async with opened(0) as server, steps_counted() as steps:
        place, row = question._place_of, question._row

        def counted(presence: Presence) -> Any:
            steps.look()
            return place(presence)

        def counted_row(*of: Any) -> Any:
            steps.look()
            return row(*of)

        monkeypatch.setattr(question, "_place_of", counted)
        monkeypatch.setattr(question, "_row", counted_row)
        keys = [f"user {number:03}" for number in range(100)]
        with attached(server.root, MANY // len(keys)) as slots:
            for slot in slots:
                for key in keys:
                    server.root.presences.track("lobby", key, slot, None, len(keys))
            turns = len(steps.turns)
            answer = await asked(server, "presence", topic="lobby", limit=500)
            assert (answer["total"], answer["keys"], len(answer["rows"])) == (MANY, 100, 500)
            assert len(steps.turns) - turns >= MANY / STEP
            assert max(steps.turns) <= STEP
            assert sum(steps.turns) == MANY + 500
