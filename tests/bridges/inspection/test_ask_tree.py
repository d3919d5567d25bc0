# Pages of the tree: in order, behind a cursor, looked for, with what a row says.

from typing import Any

import pytest
import trio
from helpers import requested, running, settle, watch
from inspection_trees import TREE, Greeter, Room, ask, attached, opened, paths
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import ChildSpec, DynamicSpec, Options, PartitionSpec, TaskPoolSpec
from greenroom.supervisor._look import Look


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


async def test_from_the_top() -> None:
    """
    The root has two children, and each level below says what it has.
    """
    async with opened(2) as server:
        top = await ask(server)
        assert top["node"]["path"] == "/"
        assert paths(top) == ["/connections", "/residents"]
        assert paths(await ask(server, path="/connections")) == ["/connections/room"]
        room = await ask(server, path="/connections/room")
        assert paths(room) == ["/connections/room/1", "/connections/room/2"]
        assert room["node"]["below"] == {"total": 2, "states": {"running": 2}, "unhealthy": 0}
        assert room["rows"][0]["actor"] == "Room"
        assert paths(await ask(server, path="/residents")) == [
            "/residents/shop", "/residents/greeter",
        ]  # fmt: skip
        assert paths(await ask(server, path="/residents/shop")) == [
            "/residents/shop/a", "/residents/shop/b",
        ]  # fmt: skip
        leaf = await ask(server, path="/residents/shop/a")
        assert (leaf["node"]["state"], leaf["rows"], leaf["next"]) == ("running", [], None)


@pytest.mark.parametrize("path", ["/nowhere", "/connections/room/99", "/residents/shop/c", "x", ""])
async def test_nothing_there(path: str) -> None:
    """
    A path that leads nowhere is told so.
    """
    async with opened(1) as server:
        assert (await ask(server, path=path))["error"]["code"] == "not-found"


async def test_pages_while_others_come_and_go() -> None:
    """
    Whoever is there all the time comes once, whoever has left or come between two pages.
    """
    sockets: list[Any] = []
    async with opened(25, sockets) as server:
        first = await ask(server, path="/connections/room", limit=10)
        drivers = server.root.connections.paths_of("room")
        assert paths(first) == drivers[:10]
        for at in (3, 9, 12):
            sockets[at].disconnect()
        sockets.append(server.dial("/room"))
        await settle(lambda: server.root.connections.open == 23)
        left = server.root.connections.paths_of("room")
        rest = [each for each in left if each not in drivers[:10]]
        second = await ask(server, path="/connections/room", limit=10, after=first["next"])
        assert paths(second) == rest[:10]
        third = await ask(server, path="/connections/room", limit=10, after=second["next"])
        assert paths(third) == rest[10:]
        assert rest[-1] == "/connections/room/26"
        assert third["next"] is None


async def test_what_is_looked_for() -> None:
    """
    A search goes through all levels, page by page: by path, class and user, in any case.
    """
    async with opened(5) as server:
        greeters = ["/residents/shop/a", "/residents/shop/b", "/residents/greeter"]
        assert paths(await ask(server, search="GREET")) == greeters
        found = await ask(server, search="greeter", limit=2)
        assert paths(found) == greeters[:2]
        rest = await ask(server, search="greeter", limit=2, after=found["next"])
        assert (paths(rest), rest["next"]) == (greeters[2:], None)
        assert paths(await ask(server, search="shop/B")) == ["/residents/shop/b"]
        assert paths(await ask(server, path="/connections", search="greeter")) == []
        with attached(server.root, 3, "chat"):
            assert paths(await ask(server, search="user-1")) == ["/connections/chat/7"]


async def test_a_full_page_at_the_end() -> None:
    """
    A page that ends with the last match has no next one.
    """
    async with opened(4) as server:
        found = await ask(server, search="greeter", limit=3)
        assert (len(found["rows"]), found["next"], found["partial"]) == (3, None, False)
        page = await ask(server, path="/connections/room", limit=4)
        assert (len(page["rows"]), page["next"]) == (4, None)


async def test_what_has_crashed_is_unwell() -> None:
    """
    A consumer that was restarted lately is found, with its crash, its budget and its last end.
    """
    async with running(TREE, room=Room) as server, server.websocket("/room") as one:
        async with server.websocket("/room"):
            one.send_text("buy")
            await one.wait_restarted(2)
            answer = await ask(server, unhealthy=True)
            [row] = answer["rows"]
            assert row["path"] == "/connections/room/1"
            assert (row["restarts"], row["restarts_left"], row["healthy"]) == (1, 2, False)
            assert row["unwell"] == "restarted"
            assert row["crash"]["exception"] == "KeyError"
            assert row["exit"]["reason"] == "crashed: KeyError"
            assert answer["node"]["below"]["unhealthy"] == 1
            assert paths(await ask(server, restarted=True)) == [row["path"]]
            assert paths(await ask(server, path="/residents", unhealthy=True)) == []


async def test_restarted_within(clock: MockClock) -> None:
    """
    Who has begun anew in the last seconds is found, whether or not its budget still counts it.
    """
    async with running(Greeter, ChildSpec(actor=Greeter, name="b")) as server:
        await server.root.restart("/residents/greeter")
        await trio.sleep(100)
        assert paths(await ask(server, restarted=True)) == []
        assert paths(await ask(server, restarted=99)) == []
        assert paths(await ask(server, restarted=101)) == ["/residents/greeter"]
        [row] = (await ask(server, restarted=101))["rows"]
        assert (row["restarted"], row["uptime"], row["exit"]["reason"]) == (
            100.0, 100.0, "restarted by hand",
        )  # fmt: skip


async def test_a_pause(clock: MockClock) -> None:
    """
    What backs off says for how long yet, and what is suspended counts as that.
    """

    class Clerk(Actor):
        @handles("boom")
        async def on_boom(self, message):
            raise ValueError

    options = Options(backoff_min_seconds=10, backoff_jitter=0)
    async with running(Clerk, Greeter, options=options) as server:
        for _ in range(2):
            server.root.find("/residents/clerk").cast({"type": "boom"})
            await trio.sleep(1)
        server.root.suspensions.begin("/residents/greeter", 5)
        answer = await ask(server, path="/residents")
        assert [row["state"] for row in answer["rows"]] == ["backing off", "suspended"]
        assert answer["rows"][0]["backoff"] == pytest.approx(9, abs=0.01)
        assert answer["node"]["below"] == {
            "total": 2, "states": {"backing off": 1, "suspended": 1}, "unhealthy": 2,
        }  # fmt: skip


async def test_what_is_handled() -> None:
    """
    A row says what an actor does, and how full its mailbox is.
    """

    awake = trio.Event()

    class Sleeper(Actor):
        mailbox_capacity = 20

        @handles("nap")
        async def on_nap(self, message):
            await awake.wait()

    async with running(Sleeper) as server:
        for _ in range(4):
            server.root.find("/residents/sleeper").cast({"type": "nap"})
        await settle(lambda: Look(server.root).slot("/residents/sleeper").mailbox.queued == 3)
        [row] = (await ask(server, path="/residents"))["rows"]
        assert row["doing"]["what"] == "'nap'"
        assert row["mailbox"].keys() >= {"queued", "capacity", "age"}
        assert (row["mailbox"]["queued"], row["mailbox"]["capacity"]) == (3, 20)
        assert paths(await ask(server, mailbox=3)) == ["/residents/sleeper"]
        assert paths(await ask(server, mailbox=4)) == []
        awake.set()


async def test_requests() -> None:
    """
    A request is a place like others: what is asked for, for how long, and no mailbox.
    """
    begun, done = trio.Event(), trio.Event()

    async def app(scope, receive, send):
        begun.set()
        await done.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with requested(http=app) as server:
        async with server.request("GET", "/slow"):
            await begun.wait()
            [row] = (await ask(server, search="get /slow"))["rows"]
            assert (row["actor"], row["state"], row["mailbox"]) == ("http", "running", None)
            assert row["doing"]["what"] == "GET /slow"
            assert row["healthy"]
            done.set()
        await settle(lambda: not server.root.connections.open)
        assert server.root.census.counts() == {}


async def test_routes_with_slashes() -> None:
    """
    A route whose name has slashes is one level, and its connections are found.
    """
    async with opened(1) as server:
        with attached(server.root, 3, "api/v1"):
            routes = await ask(server, path="/connections")
            assert paths(routes) == ["/connections/api/v1", "/connections/room"]
            below = await ask(server, path="/connections/api/v1", limit=2)
            assert paths(below) == ["/connections/api/v1/2", "/connections/api/v1/3"]
            rest = await ask(server, path="/connections/api/v1", after=below["next"])
            assert paths(rest) == ["/connections/api/v1/4"]
            one = await ask(server, path="/connections/api/v1/4")
            assert one["node"]["kind"] == "slot"
            assert len(paths(await ask(server, search="api/v1"))) == 4


async def test_dynamic_children() -> None:
    """
    Children that come and go, partitions and tasks are rows below their supervisors.
    """

    done = trio.Event()

    async def work():
        await done.wait()

    crew = DynamicSpec(name="crew", max_children=5)
    parts = PartitionSpec(name="parts", child=Greeter, partitions=2)
    async with running(crew, parts, TaskPoolSpec(name="tasks")) as server:
        await server.root.supervisor("/residents/crew").add(Greeter)
        server.root.task_pool("/residents/tasks").start(work)
        assert paths(await ask(server, path="/residents/crew")) == ["/residents/crew/greeter-1"]
        both = await ask(server, path="/residents/parts")
        assert paths(both) == ["/residents/parts/0", "/residents/parts/1"]
        tasks = await ask(server, path="/residents/tasks")
        assert paths(tasks) == ["/residents/tasks/work-1"]
        assert tasks["node"]["below"]["states"] == {"running": 1}
        assert paths(await ask(server, search="work")) == ["/residents/tasks/work-1"]
        done.set()


async def test_a_child_that_has_ended() -> None:
    """
    What was stopped by hand keeps its row, with the reason, and is no trouble.
    """
    async with running(Greeter) as server:
        ended = watch(server, "slot.ended")
        await server.root.supervisor("/residents").stop_child("greeter")
        await ended.until()
        answer = await ask(server, path="/residents")
        [row] = answer["rows"]
        assert (row["state"], row["healthy"], row["uptime"]) == ("ended", True, None)
        assert row["exit"]["reason"] == "stopped by hand"
        assert row["exit"]["at"] > 0
        assert answer["node"]["below"]["states"] == {"ended": 1}


@pytest.mark.parametrize("after", ["x", "bnVsbA", "WyJhIl0", "WzEuNV0", "Wzx4Il0", "W1sxXV0", "é"])
async def test_a_cursor_that_is_none(after: str) -> None:
    """
    A cursor that no answer has given is refused.
    """
    async with opened(1) as server:
        assert (await ask(server, after=after))["error"]["code"] == "bad-question"


@pytest.mark.parametrize(
    "fields",
    [{"restarted": "yes"}, {"restarted": -1}, {"restarted": float("nan")}, {"restarted": 1e12},
     {"unhealthy": 1}, {"mailbox": -1}, {"limit": 0}, {"limit": 501}, {"pth": "/"}],
)  # fmt: skip
async def test_fields_that_are_wrong(fields: dict[str, Any]) -> None:
    """
    A field out of its bounds, or of another type, is refused by name.
    """
    async with opened(0) as server:
        answer = await ask(server, **fields)
        assert answer["error"]["code"] == "bad-question"
        assert next(iter(fields)) in answer["error"]["text"]
