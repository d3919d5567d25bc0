# All that is known of one place: what holds, what became of it, what it does now.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.actors import (
    Actor,
    CallFailed,
    Down,
    Overflow,
    PresenceDiff,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.inspection import _ask_actor as question
from greenroom.bridges.testing import ServerDriver, virtual_clock
from greenroom.supervisor import ChildSpec, SupervisorSpec, TaskPoolSpec
from greenroom.supervisor._look import Look

from .asking import asked

PATH = "/residents/worker"


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Worker(Actor):
    """
    Works.

    And does not say everything.
    """

    keep = ("jobs",)
    groups = ("workers",)
    overflow = Overflow.DROP_OLDEST
    mailbox_capacity = 20
    supervise = {LookupError: "resume"}

    def __init__(self, password: str = "") -> None:
        self.jobs, self.password = 0, password

    def describe(self) -> dict[str, object]:
        return {"jobs": self.jobs, "password": "***"}

    @handles("work")
    async def work(self) -> None:
        self.jobs += 1

    @handles("crash")
    async def crash(self) -> None:
        secret = "xyzzy"
        raise ValueError(f"no {len(secret)}")

    @handles("wait")
    async def wait(self) -> None:
        await trio.sleep(1000)

    @handles("set timers")
    async def set_timers(self) -> None:
        self.send_after(60, {"type": "work", "secret": "xyzzy"}, key="one")
        self.send_every(10, {"type": "work"}, key=("xyzzy", 5))
        self.send_after(5, {"type": "work"})

    @handles("watch")
    async def watch(self, message: dict[str, Any]) -> None:
        self.monitor(self.find(message["path"]))

    @handles("attend")
    async def attend(self, message: dict[str, Any]) -> None:
        for topic in message["topics"]:
            self.presence_watch(topic)
            self.presence_track(topic, "ann", {"secret": "xyzzy"})

    @handles(PresenceDiff)
    async def on_presence(self) -> None:
        pass

    @handles(Down)
    async def down(self) -> None:
        pass


WORKER = ChildSpec(actor=Worker, name="worker", kwargs={"password": "xyzzy"})
OTHER = ChildSpec(actor=Worker, name="other", max_restarts=None, restart="transient")
TREE = SupervisorSpec(name="shop", children=[ChildSpec(actor=Worker, name="a")])


async def about(server: ServerDriver, path: str = PATH, **fields: object) -> dict[str, Any]:
    return await asked(server, "actor", path=path, **fields)


async def test_what_holds(clock: MockClock) -> None:
    """
    The spec says what holds in the end, with the names of the arguments, never what they are.
    """
    async with running(WORKER, OTHER) as server:
        answer = await about(server)
        spec = answer["spec"]
        assert spec["class"].endswith("test_ask_actor.Worker")
        assert spec["doc"] == "Works."
        assert spec["arguments"] == ["password"]
        assert (spec["restart"], spec["on_exceeded"]) == ("permanent", "park")
        assert (spec["max_restarts"], spec["max_seconds"]) == (3, 5.0)
        assert spec["backoff"] == {"min_seconds": 0.1, "max_seconds": 30.0, "jitter": 0.2}
        assert (spec["mailbox_capacity"], spec["overflow"]) == (20, "drop_oldest")
        assert (spec["keep"], spec["supervise"]) == (["jobs"], {"LookupError": "resume"})
        assert "limits" not in spec
        assert "xyzzy" not in str(answer)
        other = (await about(server, "/residents/other"))["spec"]
        assert (other["restart"], other["max_restarts"]) == ("transient", None)
        assert answer["groups"] == ["workers"]
        assert answer["row"]["path"] == PATH
        assert answer["connection"] is None


async def test_its_presences(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An actor says as what it is present, in which topic and since when, and which topics it
    watches; never what it says of itself. Of each it tells so many.
    """
    async with running(WORKER) as server:
        assert (await about(server))["presences"] == []
        await server.root.find(PATH).call({"type": "attend", "topics": ["hall", "lobby"]})
        answer = await about(server)
        assert [each.pop("since") > 10**9 for each in answer["presences"]] == [True, True]
        assert answer["presences"] == [
            {"topic": "hall", "key": "ann"}, {"topic": "lobby", "key": "ann"},
        ]  # fmt: skip
        assert answer["watched_topics"] == ["hall", "lobby"]
        assert "xyzzy" not in str(answer)
        monkeypatch.setattr(question, "MOST", 1)
        answer = await about(server)
        assert [each["topic"] for each in answer["presences"]] == ["hall"]
        assert answer["left_out"] == {"presences": 1, "watched_topics": 1}


async def test_its_history(clock: MockClock) -> None:
    """
    Its crashes come with what it handled and what happened before, the latest first; tracebacks
    only for who asks for them, also when somebody else has.
    """
    async with running(WORKER) as server:
        ref = server.root.find(PATH)
        for _ in range(2):
            with pytest.raises(CallFailed):
                await ref.call({"type": "crash"})
        await trio.sleep(1)  # until the pause before its second restart is over
        with_them = (await about(server, traceback=True))["history"]
        assert [each["epoch"] for each in with_them] == [2, 1]
        assert "raise ValueError" in with_them[0]["traceback"]
        answer = await about(server)
        latest = answer["history"][0]
        assert "traceback" not in latest
        assert "raise ValueError" not in str(answer)
        assert (latest["exception"], latest["text"]) == ("ValueError", "no 5")
        assert latest["message"] == "call 'crash'"
        assert latest["at"] > 0
        assert [event["kind"] for event in answer["events"]][:3] == [
            "slot.restarted", "slot.backing_off", "slot.crashed",
        ]  # fmt: skip


async def test_its_handlers(clock: MockClock) -> None:
    """
    Its handlers are named; they are counted and timed while somebody watches, and then no more.
    """
    async with running(WORKER) as server:
        ref = server.root.find(PATH)
        await ref.call({"type": "work"})
        answer = await about(server)
        assert answer["watched"] is None
        work = next(each for each in answer["handlers"] if each["message"] == "'work'")
        assert work == {
            "message": "'work'", "handler": "work", "kind": "async def",
            "count": None, "p50": None, "p95": None, "max": None, "spread": None,
        }  # fmt: skip
        assert answer["row"]["facts"]["handled"] == 1
        assert (await about(server, watch=10))["watched"] == {"seconds": 0.0, "left": 10.0}
        await ref.call({"type": "work"})
        ref.cast({"type": "work"})
        await ref.call({"type": "work"})
        await trio.sleep(9)
        answer = await about(server, watch=10)
        assert answer["watched"] == {"seconds": 9.0, "left": 10.0}
        rows = {each["message"]: each for each in answer["handlers"]}
        assert (rows["call 'work'"]["count"], rows["'work'"]["count"]) == (2, 1)
        assert rows["call 'work'"]["handler"] == "work"
        assert 0 < rows["call 'work'"]["p50"] <= rows["call 'work'"]["max"]
        assert (rows["'crash'"]["count"], rows["'crash'"]["spread"]) == (0, [])
        assert sum(count for _, count in rows["call 'work'"]["spread"]) == 2
        assert rows["call 'work'"]["spread"][-1][0] >= 0.99 * rows["call 'work'"]["max"]
        await trio.sleep(11)
        assert (await about(server))["watched"] is None
        assert happened(server, "actor.handled") == []


async def test_what_it_has_set_going(clock: MockClock) -> None:
    """
    Its timers, and who watches whom, are told; of a timer's message nothing but its type.
    """
    async with running(WORKER, OTHER) as server:
        ref = server.root.find(PATH)
        await ref.call({"type": "set timers"})
        await ref.call({"type": "watch", "path": "/residents/other"})
        answer = await about(server)
        assert answer["timers"] == [
            {"key": None, "message": "'work'", "due": 5.0, "every": None, "waiting": False},
            {"key": "tuple", "message": "'work'", "due": 10.0, "every": 10.0, "waiting": False},
            {"key": "one", "message": "'work'", "due": 60.0, "every": None, "waiting": False},
        ]
        assert answer["monitors"] == [{"path": "/residents/other", "incarnations": False}]
        other = await about(server, "/residents/other")
        assert other["monitored_by"] == [PATH]
        assert "xyzzy" not in str(answer)
        with pytest.raises(CallFailed):
            await ref.call({"type": "crash"})
        answer = await about(server)
        assert (answer["timers"], answer["monitors"]) == ([], [])


async def test_what_it_is_called() -> None:
    """
    Its names in the registry are told, and none of the values that it keeps beside them.
    """
    async with running(WORKER) as server:
        slot = Look(server.root).slot(PATH)
        assert slot is not None
        server.root.registry.register("clerk", slot, value="xyzzy")
        answer = await about(server)
        assert answer["names"] == ["clerk"]
        assert "xyzzy" not in str(answer)


async def test_too_many_of_them(clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of many only the first are told, and how many were left out.
    """
    monkeypatch.setattr(question, "MOST", 2)
    async with running(WORKER) as server:
        await server.root.find(PATH).call({"type": "set timers"})
        answer = await about(server)
        assert [each["due"] for each in answer["timers"]] == [5.0, 10.0]
        assert answer["left_out"] == {"timers": 1}


async def test_its_state(clock: MockClock) -> None:
    """
    Its state is what describe() shows, for who asks; who does not answer in time is busy.
    """
    async with running(WORKER, ChildSpec(actor=Silent, name="silent")) as server:
        ref = server.root.find(PATH)
        await ref.call({"type": "work"})
        answer = await about(server)
        assert (answer["state"], answer["describes"]) == (None, True)
        assert (await about(server, state=True))["state"] == {"jobs": 1, "password": "***"}
        ref.cast({"type": "wait"})
        await settle(lambda: server.root.snapshot().find(PATH).facts.get("handling"))  # pyright: ignore[reportOptionalMemberAccess]
        answer = await about(server, state=True)
        assert answer["state"] is None
        assert "its handler runs yet" in answer["state_problem"]
        silent = await about(server, "/residents/silent", state=True)
        assert (silent["state"], silent["describes"]) == (None, False)


class Silent(Actor):
    pass


async def test_where_it_is(clock: MockClock) -> None:
    """
    Its stack is told to who asks: the lines that its task waits at, and which of them is its own.
    """
    async with running(WORKER) as server:
        server.root.find(PATH).cast({"type": "wait"})
        await settle(lambda: server.root.snapshot().find(PATH).facts.get("handling"))  # pyright: ignore[reportOptionalMemberAccess]
        answer = await about(server)
        assert (answer["stack"], answer["where"]) == (None, None)
        assert answer["row"]["doing"]["what"] == "'wait'"
        answer = await about(server, stack=True)
        assert __file__ in answer["where"]
        assert answer["where"].endswith(" in wait")
        assert answer["where"] in answer["stack"]
        assert answer["stack"][-1].endswith(" in sleep_forever")


class Blocking(Actor):
    """Works in a thread."""

    begun, go_on = threading.Event(), threading.Event()

    @handles("block")
    def block(self) -> None:
        self.begun.set()
        self.go_on.wait(60)


async def test_where_its_thread_is() -> None:
    """
    Of a handler in a worker thread the stack goes on with that thread's, to the line that blocks.
    """
    async with running(Blocking) as server:
        path = "/residents/blocking"
        server.root.find(path).cast({"type": "block"})
        try:
            await settle(Blocking.begun.is_set)
            answer = await about(server, path, stack=True)
            assert answer["where"].endswith(" in block")
            assert answer["row"]["doing"]["what"] == "'block'"
            assert answer["row"]["doing"]["seconds"] >= 0
            assert answer["row"]["doing"]["where"].startswith("in consumers")
        finally:
            Blocking.go_on.set()
        await settle(lambda: not server.root.snapshot().find(path).facts.get("handling"))  # pyright: ignore[reportOptionalMemberAccess]
        assert (await about(server, path))["row"]["doing"] is None


class Chat(WebsocketConsumer):
    max_connections = 5

    async def receive(self, text: str) -> None:
        await self.send(text=text)


async def test_a_connection() -> None:
    """
    Of a consumer its connection is told, and what limits it.
    """
    async with running(room=Chat) as server, server.websocket("/room") as client:
        client.send_text("hello")
        assert await client.receive_text() == "hello"
        path = "/connections/room/1"
        answer = await about(server, path, watch=5)
        assert answer["connection"]["url"] == "/room"
        assert (answer["connection"]["frames_in"], answer["connection"]["bytes_out"]) == (1, 5)
        assert answer["spec"]["limits"]["own_connections"] == 5
        assert answer["spec"]["restart"] == "transient"
        client.send_text("again")
        assert await client.receive_text() == "again"
        rows = {each["message"]: each for each in (await about(server, path))["handlers"]}
        assert (rows["text frame"]["handler"], rows["text frame"]["count"]) == ("receive", 1)


async def test_what_is_no_actor(clock: MockClock) -> None:
    """
    A supervisor has a spec and events; the root and what only groups others has a row.
    """
    async with running(TREE, TaskPoolSpec(name="tasks"), room=Chat) as server:
        shop = await about(server, "/residents/shop")
        assert (shop["spec"]["strategy"], shop["row"]["kind"]) == ("one_for_one", "supervisor")
        assert [event["kind"] for event in shop["events"]] == ["supervisor.started"]
        for path in ("/", "/connections", "/residents"):
            assert (await about(server, path, stack=True, state=True))["row"]["path"] == path
        pool = server.root.task_pool("/residents/tasks")
        task = pool.start(trio.sleep_forever)
        await wait_all_tasks_blocked()
        answer = await about(server, task.path, state=True, stack=True)
        assert answer["row"]["state"] == "running"
        assert answer["where"] is None or "sleep" in answer["where"]
        for path in (task.path, "/", "/connections", "/residents", "/residents/shop"):
            refused = await about(server, path, watch=5)
            assert refused["error"]["code"] == "bad-question", path
        await server.root.supervisor("/residents/shop").stop_child("a")
        stopped = await about(server, "/residents/shop/a", state=True)
        assert stopped["row"]["state"] in ("ended", "stopped")
        assert stopped["spec"]["class"].endswith("Worker")
        refused = await about(server, "/residents/shop/a", watch=5)
        assert refused["error"]["code"] == "bad-question"


@pytest.mark.parametrize("path", ["", "/nowhere", "/connections/room/99", "/residents/workerx"])
async def test_nobody_there(path: str, clock: MockClock) -> None:
    """
    A path that leads nowhere is told so.
    """
    async with running(WORKER) as server:
        found = (await about(server, path))["error"]
        assert found["code"] == "not-found"
        assert found["text"] == f"nothing is at {path!r}: it has ended, or never was."


@pytest.mark.parametrize("fields", [{"watch": 61}, {"state": "yes"}, {"limit": 5}, {"watch": 0}])
async def test_refused(fields: dict[str, Any], clock: MockClock) -> None:
    """
    A field that is wrong, or unknown, is refused.
    """
    async with running(WORKER) as server:
        assert (await about(server, **fields))["error"]["code"] == "bad-question"
