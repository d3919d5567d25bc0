# All connections, page by page, and how many there are of each sort.

from typing import Any

import pytest
from helpers import requested, running, settle

from greenroom.actors import EventStreamConsumer, LongPollConsumer, WebsocketConsumer
from greenroom.bridges.inspection import _ask_connections as questions
from greenroom.bridges.inspection._steps import STEP

from .asking import asked, dialled, paged, steps_counted


class Echo(WebsocketConsumer):
    subprotocols = ("chat",)

    async def receive(self, text: str) -> None:
        await self.send(text=text)


class Other(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        pass


class Feed(EventStreamConsumer):
    pass


class Poll(LongPollConsumer):
    pass


class Identity:
    """Whose connection it is."""

    def __init__(self, user: str) -> None:
        self._user = user

    def facts(self) -> dict[str, object]:
        return {"user": self._user}

    def detach(self) -> None:
        """Take note that it is over."""


def belongs_to(server: Any, number: int, user: str) -> None:
    """Have the connection *number* be that of *user*."""
    path = server.root.connections.paths_of("echo")[number]
    slot = server.root.connections.find(path)
    slot.connection.scope["greenroom.identity"] = Identity(user)


async def test_pages_over_all_routes() -> None:
    """
    Connections come by their routes, the oldest first, whoever comes and goes between two pages.
    """
    sockets: list[Any] = []
    async with dialled(12, sockets=sockets, echo=Echo, other=Other) as server:
        async with server.websocket("/other"):
            first = await asked(server, "connections", limit=5)
            sockets[2].disconnect()
            sockets[7].disconnect()
            sockets.append(server.dial("/echo"))
            await settle(lambda: server.root.connections.open == 12)
            rest = await paged(server, "connections", limit=5, after=first["next"])
            paths = [row["path"] for row in [*first["rows"], *rest]]
            left = server.root.connections.paths_of(
                "echo"
            )  # the order in which tasks run is random
            seen = [row["path"] for row in first["rows"]]
            expected = [
                *seen,
                *(each for each in left if each not in seen),
                "/connections/other/13",
            ]
            assert seen == [f"/connections/echo/{number}" for number in range(1, 6)]
            assert paths == expected
            assert first["total"] == 13
            one = await asked(server, "connections", route="other")
            assert [row["path"] for row in one["rows"]] == ["/connections/other/13"]


async def test_what_is_known_of_one() -> None:
    """
    A row says what the connection is, whose, how old, and what went through it.
    """
    async with running(echo=Echo) as server:
        async with server.websocket("/echo", subprotocols=["chat"]) as client:
            for text in ("one", "three"):
                client.send_text(text)
                assert await client.receive_text() == text
            belongs_to(server, 0, "7")
            [row] = (await asked(server, "connections"))["rows"]
    age, idle = row.pop("age"), row.pop("idle")
    assert age >= 0
    assert idle >= 0
    assert row.pop("address")
    assert row.pop("facts") == {}
    assert row == {
        "path": "/connections/echo/1", "actor": "Echo", "slot": "running",
        "transport": "WebSocket over ASGI", "route": "echo", "url": "/echo", "user": "7",
        "subprotocol": "chat", "state": "open", "heard": None,
        "frames_in": 2, "bytes_in": 8, "frames_out": 2, "bytes_out": 8, "output_bytes": 0,
    }  # fmt: skip


async def test_the_state_of_a_connection_with_a_session() -> None:
    """
    Its state is that of the connection, also where it has a session of Django's, whose mark is
    among the facts.
    """

    class InSession(Identity):
        def facts(self) -> dict[str, object]:
            return {"user": "7", "session": "82585d30"}

    async with (
        requested(feed=Feed, poll=Poll) as server,
        server.event_stream("/feed"),
        server.long_poll("/poll"),
    ):
        await settle(lambda: server.root.connections.open == 2)
        for path in ("/connections/feed/1", "/connections/poll/2"):
            slot: Any = server.root.connections.find(path)
            slot.connection.scope["greenroom.identity"] = InSession("7")
        rows = (await asked(server, "connections"))["rows"]
    assert {row["route"]: row["state"] for row in rows} == {"feed": "begun", "poll": "open"}
    assert {row["facts"].get("session") for row in rows} == {"82585d30"}


async def test_counts() -> None:
    """
    Connections are counted by user, by route and by class, the most first, page by page.
    """
    async with dialled(6, echo=Echo, other=Other) as server, server.websocket("/other"):
        for number in range(5):
            belongs_to(server, number, "ann" if number < 3 else "bob")
        by_user = await asked(server, "connections", by="user")
        assert by_user["counts"] == [
            {"key": "ann", "count": 3}, {"key": "", "count": 2}, {"key": "bob", "count": 2},
        ]  # fmt: skip
        assert (by_user["keys"], by_user["total"], by_user["next"]) == (3, 7, None)
        assert await paged(server, "connections", "counts", by="user", limit=1) == by_user["counts"]
        by_route = await asked(server, "connections", by="route")
        assert by_route["counts"] == [{"key": "echo", "count": 6}, {"key": "other", "count": 1}]
        by_actor = await asked(server, "connections", by="actor", user="ann")
        assert by_actor["counts"] == [{"key": "Echo", "count": 3}]


async def test_search() -> None:
    """
    A search looks at paths, classes, users, addresses and URLs; a user or a class can be asked for.
    """
    async with dialled(3, echo=Echo, other=Other) as server, server.websocket("/other"):
        belongs_to(server, 1, "Ann")
        for fields in ({"search": "ANN"}, {"user": "Ann"}):
            rows = (await asked(server, "connections", **fields))["rows"]
            assert [row["path"] for row in rows] == ["/connections/echo/2"]
        rows = (await asked(server, "connections", actor="Other"))["rows"]
        assert [row["path"] for row in rows] == ["/connections/other/4"]
        assert len((await asked(server, "connections", search="echo/"))["rows"]) == 3
        assert (await asked(server, "connections", route="nowhere"))["rows"] == []


@pytest.mark.parametrize(
    "fields", [{"by": "address"}, {"after": "x"}, {"by": "user", "after": "WzAsImEiXQ"}]
)
async def test_refused(fields: dict[str, Any]) -> None:
    """
    What can't be counted by, and what is no cursor, is refused.
    """
    async with dialled(1, echo=Echo) as server:
        assert (await asked(server, "connections", **fields))["error"]["code"] == "bad-question"


@pytest.mark.parametrize("fields", [{"search": "nobody"}, {"by": "user"}, {"limit": 500}])
async def test_it_holds_nobody_up(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many connections there are, so many and no more are looked at between two turns.
    """
    async with dialled(1000, echo=Echo) as server, steps_counted() as steps:
        user_of, connection_of = questions.user_of, questions.connection_of

        def counted_user(attached: Any) -> str:
            steps.look()
            return user_of(attached)

        def counted_row(attached: Any) -> Any:
            steps.look()
            return connection_of(attached)

        def counted_search(attached: Any) -> str:
            steps.look()
            return ""

        monkeypatch.setitem(questions._BY, "user", counted_user)
        monkeypatch.setattr(questions, "connection_of", counted_row)
        monkeypatch.setattr(questions, "searched", counted_search)
        assert "error" not in await asked(server, "connections", **fields)
        assert sum(steps.turns) >= 500
        assert max(steps.turns) <= STEP


async def test_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A page that would look at too many says where to go on, and a count that it is none of all.
    """
    monkeypatch.setattr(questions, "LOOKS", 2 * STEP)
    monkeypatch.setattr(questions, "MOST_COUNTED", 2 * STEP)
    async with dialled(3 * STEP, echo=Echo) as server:
        last = server.root.connections.paths_of("echo")[-1]
        first = await asked(server, "connections", search=last)
        assert (first["rows"], first["partial"]) == ([], True)
        rest = await asked(server, "connections", search=last, after=first["next"])
        assert [row["path"] for row in rest["rows"]] == [last]
        assert (rest["next"], rest["partial"]) == (None, False)
        counted = await asked(server, "connections", by="actor")
        assert (counted["counts"], counted["partial"]) == (
            [{"key": "Echo", "count": 2 * STEP}], True,
        )  # fmt: skip
        by_route = await asked(server, "connections", by="route")
        assert by_route["counts"] == [{"key": "echo", "count": 3 * STEP}]
