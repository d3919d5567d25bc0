# Groups as actors use them: who hears what, and what becomes of the rest.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle

from greenroom.actors import Actor, ActorNotFound, WebsocketConsumer, handles
from greenroom.supervisor import current_root


class Sync(WebsocketConsumer):
    """Does with groups what its text frame says."""

    def connect(self, message):
        self.accept()
        self.join("room")
        self.send(text="joined")

    def receive(self, text):
        what, _, rest = text.partition(" ")
        if what == "all":
            self.group_send("room", text=rest)
        elif what == "bytes":
            self.group_send("room", bytes=rest.encode())
        elif what == "others":
            self.group_send_others("room", text=rest)
        elif what == "message":
            self.group_send("room", {"type": "note", "text": rest})
        elif what == "others-message":
            self.group_send_others("room", {"type": "note", "text": rest})
        elif what == "leave":
            self.leave("room")
            self.leave("never joined")
        elif what == "cast":
            self.cast(rest, {"type": "note", "text": "cast"})

    @handles("note")
    def on_note(self, message):
        self.send(text=f"note {message['text']}")


class Async(Sync):
    async def connect(self, message):
        super().connect(message)

    async def receive(self, text):
        super().receive(text)

    @handles("note")
    async def on_note(self, message):
        super().on_note(message)


@pytest.fixture(params=[Sync, Async])
def chat(request: pytest.FixtureRequest) -> type[Sync]:
    return request.param


async def test_who_hears_what(chat: type[Sync]) -> None:
    """
    group_send() reaches all members, group_send_others() all but the sender, in order.
    """
    async with running(chat=chat) as server:
        async with server.websocket("/chat") as a, server.websocket("/chat") as b:
            assert [await ws.receive() for ws in (a, b)] == ["joined", "joined"]
            for text in ("all 1", "others 2", "bytes 3", "all 4"):
                a.send_text(text)
            assert [await a.receive() for _ in range(3)] == ["1", b"3", "4"]
            assert [await b.receive() for _ in range(4)] == ["1", "2", b"3", "4"]

            a.send_text("message 5")
            assert await a.receive() == await b.receive() == "note 5"
            a.send_text("others-message 6")
            assert await b.receive() == "note 6"

            b.send_text("leave")
            await settle(lambda: b.slot.groups == ())
            a.send_text("all 7")
            assert await a.receive() == "7"
            assert server.root.groups.names() == {"room": 1}
            b.disconnect()
        assert server.root.groups.names() == {}


async def test_no_actor_is_woken_for_a_frame() -> None:
    """
    A text frame to a group goes to the sockets: no member handles a message for it.
    """
    async with running(chat=Async) as server, server.websocket("/chat") as ws:
        await ws.receive()
        server.root.groups.send("room", text="frame")
        assert await ws.receive() == "frame"
        assert ws.slot.facts["handled"] == 0


async def test_a_resident_may_be_a_member() -> None:
    """
    A resident hears the group's messages, and is passed over for frames.
    """
    heard: list[str] = []

    class Bot(Actor):
        async def started(self):
            await self.join("room")

        @handles("note")
        async def on_note(self, message):
            heard.append(message["text"])

    async with running(Bot) as server:
        assert server.root.groups.send("room", text="frame") == 1
        server.root.groups.send("room", {"type": "note", "text": "message"})
        await settle(lambda: heard)

    assert heard == ["message"]


async def test_a_frame_for_a_socket_that_is_not_accepted_yet() -> None:
    """
    Joined before accept(), a member misses frames: each is a dead letter.
    """
    go = trio.Event()

    class Early(WebsocketConsumer):
        async def connect(self, message):
            await self.join("room")
            await go.wait()
            await self.accept()

    async with running(chat=Early) as server:
        ws = server.dial("/chat")
        await settle(lambda: server.root.groups.names() == {"room": 1})
        server.root.groups.send("room", text="early")
        (letter,) = happened(server, "message.dead_letter")
        assert letter.facts["reason"] == "a group's frame for a socket that is not accepted yet"
        go.set()
        await ws.handshake()
        ws.disconnect()
        await ws.application_done.wait()


async def test_a_groups_message_for_a_full_mailbox() -> None:
    """
    A group's sender never hears MailboxFull: what a member cannot take is a dead letter.
    """

    class Bot(Actor):
        mailbox_capacity = 1
        overflow = "error"
        shutdown_seconds = 0

        async def started(self):
            await self.join("room")

        @handles("note")
        async def on_note(self, message):
            await trio.sleep_forever()

    async with running(Bot) as server:
        for _ in range(2):
            server.root.groups.send("room", {"type": "note"})
            await settle(lambda: server.root.groups.names())
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        server.root.groups.send("room", {"type": "note"})
        server.root.groups.send("room", {"type": "note"})

        reasons = {str(e.facts["reason"]) for e in happened(server, "message.dead_letter")}
        assert reasons == {"a group's message for a full mailbox"}


async def test_cast_by_path(chat: type[Sync]) -> None:
    """
    cast() takes a path; one where nobody lives is a dead letter, not a crash.
    """
    async with running(chat=chat) as server:
        async with server.websocket("/chat") as a, server.websocket("/chat") as b:
            assert [await ws.receive() for ws in (a, b)] == ["joined", "joined"]
            a.send_text(f"cast {b.slot.path}")
            assert await b.receive() == "note cast"
            a.send_text("cast /connections/chat/99")
            await settle(lambda: happened(server, "message.dead_letter"))
            assert a.slot.epoch == 1
        with pytest.raises(ActorNotFound):
            server.root.find("/connections/chat/1")


async def test_groups_from_outside_an_actor() -> None:
    """
    An HTTP application in the tree sends to groups through current_root().
    """

    async def http(scope, receive, send):
        current_root().groups.send("room", text=scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with running(http=http, chat=Async) as server, server.websocket("/chat") as ws:
        await ws.receive()
        await server.http("POST", "/news")
        assert await ws.receive() == "/news"


async def test_class_attributes_reach_the_slot() -> None:
    """
    mailbox_capacity of the class is the mailbox's; a consumer without connect() is accepted.
    """

    class Small(WebsocketConsumer):
        mailbox_capacity = 7

    async with running(small=Small) as server, server.websocket("/small") as ws:
        assert ws.slot.mailbox == (0, 7)
        assert (
            ws._slot.__repr__()
            == f"<Slot /connections/small/1 {Small.__qualname__} epoch 1 running>"
        )


async def test_a_join_in_the_moment_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A thread that was allowed to join before its slot ended leaves no member behind.
    """
    joining, go = threading.Event(), threading.Event()

    class Chat(WebsocketConsumer):
        shutdown_seconds = 0

        def receive(self, text):
            self.join("late")

    async with running(chat=Chat) as server:
        join = server.root.groups.join

        def slow_join(group: str, member: Any) -> None:
            joining.set()
            assert go.wait(10)
            join(group, member)

        monkeypatch.setattr(server.root.groups, "join", slow_join)
        async with server.websocket("/chat") as ws:
            ws.send_text("join")
            await settle(joining.is_set)
            slot = ws._slot
            slot.request_stop("enough")
            await slot.ended.wait()
        go.set()
        await settle(lambda: server.root.pool.statistics().running == 0)

        assert server.root.groups.names() == {}
