# Groups and their members: what went through them, page by page.

import pytest
from helpers import settle

from greenroom.actors import Actor, WebsocketConsumer
from greenroom.bridges.inspection._steps import STEP
from greenroom.supervisor._groups import Groups

from .asking import asked, dialled, paged, steps_counted


class Room(WebsocketConsumer):
    groups = ("lobby",)

    async def receive(self, text: str) -> None:
        self.join(text)


class Silent(Actor):
    groups = ("lobby",)


async def test_what_went_through() -> None:
    """
    A group says how many members it has, what was sent, and who got it or had no use for it.
    """
    async with dialled(2, Silent, room=Room) as server:
        groups = server.root.groups
        await settle(lambda: len(groups.members("lobby")) == 3)
        groups.send("lobby", text="hello")
        groups.send("lobby", text="again", exclude=groups.members("lobby")[-1])
        answer = await asked(server, "groups")
        # The resident has no socket to send to.
        assert answer["rows"] == [
            {"group": "lobby", "members": 3, "sent": 2, "delivered": 3, "dropped": 2}
        ]
        assert (answer["total"], answer["next"]) == (1, None)


async def test_pages_by_name() -> None:
    """
    Groups come in the order of their names, whoever comes and goes between two pages.
    """
    sockets: list = []
    async with dialled(1, sockets=sockets, room=Room) as server:
        names = [f"group {number:02}" for number in range(25)]
        for name in reversed(names):
            sockets[0].send_text(name)
            await settle(lambda name=name: server.root.groups.tally(name))
        rows = await paged(server, "groups", limit=10)
        assert [row["group"] for row in rows] == [*names, "lobby"]
        found = await paged(server, "groups", limit=2, search="GROUP 1")
        assert [row["group"] for row in found] == names[10:20]
        first = await asked(server, "groups", limit=3)
        sockets[0].disconnect()
        await settle(lambda: server.root.connections.open == 0)
        gone = await asked(server, "groups", limit=3, after=first["next"])
        assert (gone["rows"], gone["total"]) == ([], 0)


async def test_members() -> None:
    """
    The members of a group come in the order of the tree, with who they are.
    """
    async with dialled(12, Silent, room=Room) as server:
        await settle(lambda: len(server.root.groups.members("lobby")) == 13)
        rows = await paged(server, "groups", group="lobby", limit=5)
        paths = [f"/connections/room/{number}" for number in range(1, 13)]
        assert [row["path"] for row in rows] == [*paths, "/residents/silent"]
        assert rows[0] == {"path": paths[0], "actor": "Room", "state": "running", "user": ""}
        found = await asked(server, "groups", group="lobby", search="silent")
        assert [row["path"] for row in found["rows"]] == ["/residents/silent"]
        assert (found["members"], found["total"]) == (13, 13)


async def test_nobody_there() -> None:
    """
    A group without members is none, and what is no cursor is refused.
    """
    async with dialled(1, room=Room) as server:
        answer = await asked(server, "groups", group="nobody")
        assert answer["error"] == {
            "code": "not-found", "text": "the group 'nobody' has no members in this process",
        }  # fmt: skip
        for after in ("x", "WzEsMl0", "WzBd"):
            answer = await asked(server, "groups", after=after)
            assert answer["error"]["code"] == "bad-question"


async def test_it_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many groups and members there are, so many and no more are looked at between two turns.
    """
    async with dialled(1, room=Room) as server, steps_counted() as steps:
        member = server.root.groups.members("lobby")[0]
        for number in range(1000):
            server.root.groups.join(f"group {number}", member)
        tally = Groups.tally

        def counted(groups: Groups, group: str) -> object:
            steps.look()
            return tally(groups, group)

        monkeypatch.setattr(Groups, "tally", counted)
        turns = len(steps.turns)
        answer = await asked(server, "groups", limit=50, search="nothing")
        assert answer["rows"] == []
        assert len(steps.turns) - turns >= 1000 / STEP
        answer = await asked(server, "groups", limit=50)
        assert max(steps.turns) <= STEP
        assert sum(steps.turns) == 50
