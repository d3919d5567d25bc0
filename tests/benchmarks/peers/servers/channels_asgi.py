"""The jobs, written for Channels."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false, reportCallIssue=false
# Channels is in the benchmark's own environment only.

from __future__ import annotations

from typing import Any

import django

django.setup(set_prefix=False)

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from project.models import read_row_for  # noqa: E402


class Echo(AsyncWebsocketConsumer):
    """Send it back."""

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.send(text_data)


class Fan(AsyncWebsocketConsumer):
    """To all members, each of which sends it on."""

    async def connect(self) -> None:
        await self.channel_layer.group_add("all", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard("all", self.channel_name)

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.channel_layer.group_send("all", {"type": "chat.message", "text": text_data})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


class Sync(WebsocketConsumer):
    """Send it back, from a worker thread."""

    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        self.send(text_data)


class Orm(WebsocketConsumer):
    """Read a row, then send it back."""

    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        read_row_for(text_data)
        self.send(text_data)


http = get_asgi_application()
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter(
            [
                path("echo", Echo.as_asgi()),
                path("fan", Fan.as_asgi()),
                path("fanactor", Fan.as_asgi()),
                path("sync", Sync.as_asgi()),
                path("orm", Orm.as_asgi()),
            ]
        ),
    }
)
