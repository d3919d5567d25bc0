# Consumers with annotations: `def`, `async def`, and both in one class.
from __future__ import annotations

from typing import assert_type

import msgspec
import trio
from django.contrib.auth.models import User

from greenroom.actors import ActorRef, Directive, Request, WebsocketConsumer, handles


class Rename(msgspec.Struct, Request[str], frozen=True):
    name: str


class CountPeople(msgspec.Struct, Request[int], frozen=True):
    pass


class Poke(msgspec.Struct, frozen=True):
    by: str


class SyncChat(WebsocketConsumer):
    """The founding example with its types: handlers run in worker threads."""

    keep = ["username"]
    supervise = {KeyError: "resume", OSError: Directive.STOP}

    def connect(self, message: dict[str, object]) -> None:
        self.username = "Anonymous"
        self.accept()
        self.send(text=f"[Welcome {self.username}!]")

    def receive(self, text: str | None, bytes: bytes | None = None) -> None:
        if text is not None and text.startswith("/name"):
            self.username = text[5:].strip()
            self.send(text=f"[set your username to {self.username}]")
        else:
            self.send(text=f"{self.username}: {text}")

    def disconnect(self, message: dict[str, object]) -> None:
        pass


class AsyncChat(WebsocketConsumer):
    """The same on trio: handlers await what they like."""

    async def connect(self) -> None:
        self.username = "Anonymous"
        await self.accept()
        await self.send(text=f"[Welcome {self.username}!]")

    async def receive(self, text: str) -> None:
        await trio.sleep(0)
        await self.send(text=f"{self.username}: {text}")

    async def disconnect(self, code: int, reason: str) -> None:
        await self.group_send("chat.lobby", text=f"{self.username} left ({code} {reason})")


class MixedChat(WebsocketConsumer):
    """`def` where the ORM is used, `async def` where many things are waited for."""

    keep = ["username"]
    username = "Anonymous"

    def connect(self, message: dict[str, object]) -> None:
        self.people = User.objects.filter(is_active=True).count()
        self.join("chat.lobby")
        self.accept(subprotocol="chat.v1")

    async def receive(self, text_data: str | None, bytes_data: bytes | None) -> None:
        if text_data is not None:
            await self.group_send_others("chat.lobby", text=text_data)
            await self.group_send("chat.lobby", {"type": "chat.seen", "by": self.username})
        else:
            await self.send(bytes=bytes_data or b"")

    @handles("chat.seen")
    async def on_seen(self, message: dict[str, object]) -> None:
        await self.send(text=f"seen by {message['by']}")

    @handles(Poke)
    def on_poke(self, message: Poke) -> None:
        self.send(text=f"{message.by} pokes you")

    @handles(Rename)
    async def rename(self, message: Rename) -> str:
        before, self.username = self.username, message.name
        return before

    @handles(CountPeople)
    def count(self, message: CountPeople) -> int:
        return User.objects.count()

    async def started(self) -> None:
        self.start_soon(self.greet, "hello", 3)
        self.send_every(30, Poke("the clock"), key="poke")
        self.send_after(0.5, {"type": "chat.seen", "by": "the clock"}).cancel()

    async def greet(self, word: str, times: int) -> None:
        for _ in range(times):
            await self.send(text=word)

    def disconnect(self, close_code: int) -> None:
        self.leave("chat.lobby")


async def ask(ref: ActorRef) -> None:
    """What a call returns follows from the message's type."""
    assert_type(await ref.call(CountPeople(), timeout=5), int)
    assert_type(await ref.call(Rename("Bob"), timeout=5), str)
    assert_type(ref.cast(Poke("Ann")), bool)
    await ref.send(Poke("Ann"))
    ref.stop("enough")


def ask_from_a_thread(ref: ActorRef) -> tuple[int, str]:
    """The same from a worker thread."""
    assert_type(ref.call_blocking(CountPeople(), timeout=5), int)
    return ref.call_blocking(CountPeople(), timeout=5), ref.path
