"""The jobs, written for Greenroom."""

from __future__ import annotations

from typing import Any

from greenroom.bridges.django import Greenroom, django_application, path  # sets Django up

# ruff: isort: split
from project.models import read_row_for

from greenroom.actors import WebsocketConsumer, handles


class Echo(WebsocketConsumer):
    """Send it back."""

    async def receive(self, text: str) -> None:
        await self.send(text=text)


class Fan(WebsocketConsumer):
    """To all members, straight to their sockets."""

    async def connect(self) -> None:
        self.join("all")
        self.accept()

    async def receive(self, text: str) -> None:
        await self.group_send("all", text=text)


class FanActor(Fan):
    """To all members, each of which sends it on."""

    async def receive(self, text: str) -> None:
        await self.group_send("all", {"type": "chat.message", "text": text})

    @handles("chat.message")
    async def chat_message(self, message: dict[str, Any]) -> None:
        await self.send(text=message["text"])


class Sync(WebsocketConsumer):
    """Send it back, from a worker thread."""

    def receive(self, text: str) -> None:
        self.send(text=text)


class Orm(WebsocketConsumer):
    """Read a row, then send it back."""

    def receive(self, text: str) -> None:
        read_row_for(text)
        self.send(text=text)


application = Greenroom(
    http=django_application(),
    websocket=[
        path("echo", Echo),
        path("fan", Fan),
        path("fanactor", FanActor),
        path("sync", Sync),
        path("orm", Orm),
    ],
)
