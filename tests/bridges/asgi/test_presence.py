# Presence in every family of consumers, in def handlers and in async ones.

import json
from typing import Any

import pytest
import trio
from helpers import Routes
from trio.testing import MockClock

from greenroom.actors import (
    EventStreamConsumer,
    HttpConsumer,
    LongPollConsumer,
    PresenceDiff,
    WebsocketConsumer,
    handles,
)
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import HandshakeRefused, serve, virtual_clock
from greenroom.supervisor import Options, current_root


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


def said(diff: PresenceDiff) -> str:
    """Who has joined, changed and left."""
    signs = {"+": diff.joined, "~": diff.changed, "-": diff.left}
    return " ".join(f"{sign}{key}" for sign, keys in signs.items() for key in sorted(keys))


class DefSocket(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(text=json.dumps(sorted(self.presence_watch("room"))))

    def receive(self, text):
        what, _, key = text.partition(" ")
        if what == "track":
            self.presence_track("room", key, {"from": "socket"})
        elif what == "update":
            self.presence_update("room", key, {"from": "elsewhere"})
        elif what == "untrack":
            self.presence_untrack("room", key)
        elif what == "unwatch":
            self.presence_unwatch("room")
        elif what == "list":
            self.send(text=json.dumps(sorted(self.presence_list("room"))))
        elif what == "crash":
            raise RuntimeError("as asked")

    @handles(PresenceDiff)
    def tell(self, diff):
        self.send(text=said(diff))


class AsyncSocket(DefSocket):
    async def connect(self):
        super().connect()

    async def receive(self, text):
        super().receive(text)

    @handles(PresenceDiff)
    async def tell(self, diff):
        super().tell(diff)


class Stream(EventStreamConsumer):
    def connect(self):
        self.accept()
        self.presence_watch("room")
        self.presence_track("room", "stream")

    @handles(PresenceDiff)
    async def tell(self, diff):
        await self.send(said(diff))


class Poll(LongPollConsumer):
    async def connect(self):
        await self.accept()
        self.presence_watch("room")
        self.presence_track("room", "poll")

    @handles(PresenceDiff)
    def tell(self, diff):
        self.send(text=said(diff))


class Request(HttpConsumer):
    """A request that takes its time, and is present meanwhile."""

    async def handle(self) -> None:
        self.presence_track("room", "request")
        self.presence_watch("room")

    @handles(PresenceDiff)
    async def tell(self, diff):
        if "enough" in diff.joined:
            self.respond(text=" ".join(sorted(self.presence_list("room"))))


def served() -> Any:
    """All of them, with keys that have no grace."""
    families = {"def": DefSocket, "async": AsyncSocket}
    requests = {"stream": Stream, "poll": Poll, "request": Request}
    return serve(
        Application(
            router=Routes(families),
            http_router=Routes(requests),
            options=Options(presence_grace_seconds=0.0),
        )
    )


@pytest.fixture(params=["/def", "/async"])
def path(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_handlers_of_both_kinds(path: str) -> None:
    """
    In a worker thread and on trio all of it works, and who watches hears in order.
    """
    async with served() as server, server.websocket(path) as one:
        assert await one.receive() == "[]"
        one.send_text("track ann")
        assert await one.receive() == "+ann"
        async with server.websocket(path) as two:
            assert await two.receive() == '["ann"]'
            two.send_text("track ben")
            assert await one.receive() == await two.receive() == "+ben"
            two.send_text("update ben")
            assert await one.receive() == await two.receive() == "~ben"
            two.send_text("untrack ben")
            assert await one.receive() == await two.receive() == "-ben"
            two.send_text("unwatch")
            two.send_text("track cem")
            two.send_text("list")
            assert await one.receive() == "+cem"
            assert await two.receive() == '["ann", "cem"]'
        assert await one.receive() == "-cem"


async def test_a_restart_is_not_told(path: str) -> None:
    """
    The next incarnation is present as the one before, and may update what that has said.
    """
    async with served() as server, server.websocket(path) as one, server.websocket(path) as two:
        assert await one.receive() == await two.receive() == "[]"
        two.send_text("track ben")
        assert await one.receive() == await two.receive() == "+ben"
        before = server.root.presences.listed("room")
        two.send_text("crash")
        await two.wait_restarted()
        assert server.root.presences.listed("room") == before
        two.send_text("update ben")  # and this is the next that anybody hears
        assert await one.receive() == await two.receive() == "~ben"


async def test_a_stream_is_present() -> None:
    """
    An event stream is there while it is open.
    """
    async with served() as server, server.websocket("/async") as one:
        assert await one.receive() == "[]"
        async with server.event_stream("/stream") as stream:
            assert (await stream.next_event()).data == "+stream"
            assert await one.receive() == "+stream"
        assert await one.receive() == "-stream"


async def test_a_long_poll_session_is_present() -> None:
    """
    A long-poll session is there as long as it lives, also while no poll waits.
    """
    async with served() as server, server.websocket("/async") as one:
        assert await one.receive() == "[]"
        async with server.long_poll("/poll", polling=False) as client:
            assert await one.receive() == "+poll"
            answer = (await client.poll()).json
            assert [each["text"] for each in answer["messages"]] == ["+poll"]
        assert await one.receive() == "-poll"


async def test_a_request_is_present() -> None:
    """
    A request is there until it is answered, and may be answered because of who came.
    """
    async with served() as server, server.websocket("/async") as one:
        assert await one.receive() == "[]"
        async with server.request("GET", "/request") as request:
            assert await one.receive() == "+request"
            one.send_text("track enough")
            assert await request.begun() == 200
            assert await request.read() == b"enough request"
        told = {await one.receive()}
        if told != {"+enough -request"}:  # together, or one by one
            assert told | {await one.receive()} == {"+enough", "-request"}


async def test_a_refused_handshake_is_nobody(clock: MockClock) -> None:
    """
    Who is refused, and had tracked before, is there no longer than the grace.
    """

    class Refused(WebsocketConsumer):
        async def connect(self):
            self.presence_track("room", "refused")
            await self.deny(403)

    options = Options(presence_grace_seconds=3.0)
    application = Application(
        router=Routes({"refused": Refused, "async": AsyncSocket}), options=options
    )
    async with serve(application) as server, server.websocket("/async") as one:
        assert await one.receive() == "[]"
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/refused"):
                pass
        assert await one.receive() == "+refused"
        assert await one.receive() == "-refused"


async def view(scope: Any, receive: Any, send: Any) -> None:
    """Answer as a view does, in a thread, who is there."""
    present = await trio.to_thread.run_sync(lambda: sorted(current_root().presences.listed("room")))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": " ".join(present).encode()})


async def test_a_view_reads_the_list() -> None:
    """
    Whatever runs in the tree may ask it who is there, from any thread.
    """
    application = Application(http=view, router=Routes({"async": AsyncSocket}))
    async with serve(application) as server, server.websocket("/async") as one:
        assert await one.receive() == "[]"
        assert (await server.http("GET", "/")).body == b""
        one.send_text("track ann")
        assert await one.receive() == "+ann"
        assert (await server.http("GET", "/")).body == b"ann"
