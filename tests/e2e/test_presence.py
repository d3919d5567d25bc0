# Presence under real servers, as the clients of real sockets see it.
#
# That nobody is told of something is seen by what is told next: somebody else comes in, and the
# diff of that, which comes behind all others of the topic, has nothing but him.

import json
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from e2e._server import WAIT_SECONDS, Server, dial, in_thread
from redis_server import running_redis
from trio_websocket import WebSocketConnection

pytestmark = pytest.mark.slow

Diff = tuple[list[str], list[str], list[str]]
SILENT_SECONDS = 20.0  # until a process that was killed is taken for gone: 15, and a heartbeat


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on which who comes back within a minute was never away."""
    with Server("attending:application") as server:
        yield server


@pytest.fixture(params=["def", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


async def heard(socket: WebSocketConnection, seconds: float = WAIT_SECONDS) -> Any:
    """Return what comes next."""
    with trio.fail_after(seconds):
        return json.loads(await socket.get_message())


async def diff(socket: WebSocketConnection, seconds: float = WAIT_SECONDS) -> Diff:
    """Return who has joined, left and changed, by the next message."""
    said = await heard(socket, seconds)
    assert said["type"] == "presence"
    return sorted(said["joined"]), said["left"], sorted(said["changed"])


async def learn(socket: WebSocketConnection, names: set[str]) -> None:
    """Wait until a consumer that has come into a process which was alone has been told *names*."""
    known: set[str] = set()
    while known != names:
        joined, left, _ = await diff(socket)
        known = (known | set(joined)) - set(left)


async def do(socket: WebSocketConnection, what: str, **more: str) -> None:
    """Have the consumer do something."""
    await socket.send_message(json.dumps({"type": "do", "what": what, **more}))


class Room:
    """A room of its own on *server*, with consumers whose handlers are of a *kind*."""

    def __init__(self, server: Server, kind: str, name: str = "") -> None:
        self.server, self.kind, self.name = server, kind, name or uuid.uuid4().hex

    def at(self, server: Server, kind: str) -> "Room":
        """The same room in another process."""
        return Room(server, kind, self.name)

    def dial(self, name: str) -> AbstractAsyncContextManager[WebSocketConnection]:
        """Come in as *name*."""
        return dial(self.server, f"/{self.kind}?name={name}&room={self.name}")

    @asynccontextmanager
    async def enter(self, name: str, there: list[str]) -> AsyncIterator[WebSocketConnection]:
        """Come in where *there* are, until one's own coming was told."""
        async with self.dial(name) as socket:
            assert await diff(socket) == (there, [], [])
            if name not in there:
                assert await diff(socket) == ([name], [], [])
            yield socket

    async def pass_through(self, *watching: WebSocketConnection) -> None:
        """Somebody comes in and goes, and that is all that *watching* are told."""
        async with self.dial("zoe") as zoe:
            for socket in watching:
                assert await diff(socket) == (["zoe"], [], [])
            await do(zoe, "leave")
            for socket in watching:
                assert await diff(socket) == ([], ["zoe"], [])


@pytest.fixture
def room(server: Server, kind: str) -> Room:
    return Room(server, kind)


async def test_nobody_is_told_of_a_crash(room: Room) -> None:
    """
    A consumer that crashes is as present as before, and goes on being told.
    """
    async with room.enter("ann", []) as ann, room.enter("ben", ["ann"]) as ben:
        assert await diff(ann) == (["ben"], [], [])
        await do(ben, "crash")
        await do(ben, "answer")
        assert (await heard(ben))["epoch"] == 2
        await room.pass_through(ann, ben)
        await do(ben, "be", status="away")  # what the incarnation before was this one may change
        assert await diff(ann) == await diff(ben) == ([], [], ["ben"])


async def test_who_comes_back_was_never_away(room: Room) -> None:
    """
    Within the grace a client may go and come again, and nobody is told.
    """
    server = room.server
    async with room.enter("ann", []) as ann:
        async with room.enter("ben", ["ann"]) as ben:
            assert await diff(ann) == (["ben"], [], [])
            await do(ben, "answer")
            path = (await heard(ben))["path"]
        await in_thread(server.until, "he has gone", lambda: path not in paths(server, room.kind))
        async with room.enter("ben", ["ann", "ben"]):
            await room.pass_through(ann)


def paths(server: Server, kind: str) -> list[str]:
    """Which consumers there are."""
    return [slot["path"] for slot in server.slots(kind)]


async def test_who_goes_for_good_has_left(kind: str) -> None:
    """
    When the grace is over the others are told, once, and the list lacks who has gone.
    """
    with Server("attending:application", env={"E2E_GRACE": "0.5"}) as server:
        room = Room(server, kind)
        async with room.enter("ann", []) as ann:
            async with room.enter("ben", ["ann"]):
                assert await diff(ann) == (["ben"], [], [])
            assert await diff(ann) == ([], ["ben"], [])
            async with room.enter("cem", ["ann"]):
                assert await diff(ann) == (["cem"], [], [])


async def test_two_processes() -> None:
    """
    Who comes and goes is told in the other process. One that stops takes its own along, with the
    grace and no longer; one that is killed does when it has been silent for long enough.
    """
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_redis())
        env = {"E2E_REDIS": redis.url, "E2E_GRACE": "0.5"}
        here, there, killed = (
            stack.enter_context(Server("attending:application", env=env)) for _ in range(3)
        )
        room = Room(here, "async")
        ann = await stack.enter_async_context(room.enter("ann", []))
        async with room.at(there, "async").dial("dot") as dot:
            await learn(dot, {"ann", "dot"})
            assert await diff(ann) == (["dot"], [], [])
            async with room.at(there, "def").dial("ben"):
                assert await diff(ann) == await diff(dot) == (["ben"], [], [])
            # Each process has its own clock for the grace: that both are through is seen in both.
            assert await diff(ann) == await diff(dot) == ([], ["ben"], [])
            await do(dot, "leave")
            assert await diff(ann) == await diff(dot) == ([], ["dot"], [])

        async with room.at(there, "async").enter("cem", ["ann"]):
            assert await diff(ann) == (["cem"], [], [])
            await in_thread(there.signal, signal.SIGTERM)
            assert await diff(ann) == ([], ["cem"], [])
        assert "presence.lost" not in here.facts()["events"]

        async with room.at(killed, "def").dial("dan"):
            assert await diff(ann) == (["dan"], [], [])
            await in_thread(killed.kill)
            assert await diff(ann, SILENT_SECONDS + WAIT_SECONDS) == ([], ["dan"], [])
        assert here.facts()["events"]["presence.lost"] == 1
