# Consumers as people write them for Channels, with nothing changed but the imports.

import asyncio
import json
import tempfile
from pathlib import Path

from django.conf import settings

FOLDER = Path(tempfile.mkdtemp(prefix="greenroom-channels-"))

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}},
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    LOGGING_CONFIG=None,
)

from greenroom.bridges.django import Greenroom, path  # sets Django up

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command

from _base import COUNTS, http, record
from greenroom.bridges.channels.exceptions import DenyConnection
from greenroom.bridges.channels.generic.http import AsyncHttpConsumer
from greenroom.bridges.channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.layers import get_channel_layer

call_command("migrate", verbosity=0)


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = "chat_%s" % self.room_name
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        record(f"chat disconnect {close_code}")
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data):
        message = json.loads(text_data)["message"]
        if message == "/crash":
            raise ValueError("asked to")
        await self.channel_layer.group_send(
            self.room_group_name, {"type": "chat.message", "message": message}
        )

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))


class SignupConsumer(WebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("signups", self.channel_name)
        self.accept()

    def disconnect(self, close_code):
        record(f"signup disconnect {close_code}")
        async_to_sync(self.channel_layer.group_discard)("signups", self.channel_name)

    def receive(self, text_data=None, bytes_data=None):
        User.objects.create(username=text_data)
        async_to_sync(self.channel_layer.group_send)("signups", {"type": "signup.done"})

    def signup_done(self, event):
        self.send(text_data=str(User.objects.count()))


class LoggingMixin:
    async def dispatch(self, message):
        COUNTS["dispatched"] += 1
        await super().dispatch(message)


class PermissionMixin:
    async def websocket_connect(self, message):
        if b"denied=1" in self.scope["query_string"]:
            await self.close()
            return
        await super().websocket_connect(message)


class PresenceConsumer(PermissionMixin, LoggingMixin, AsyncJsonWebsocketConsumer):
    groups = ["presence"]

    async def connect(self):
        if b"anonymous=1" in self.scope["query_string"]:
            raise DenyConnection
        await self.accept(subprotocol="json" if "json" in self.scope["subprotocols"] else None)

    async def receive_json(self, content, **kwargs):
        action = getattr(self, "do_" + content["action"])
        await action(content)

    async def do_ping(self, content):
        await self.send_json({"pong": content["n"]})

    async def do_leave(self, content):
        await self.send_json({"bye": True}, close=4000)


class TickerConsumer(AsyncWebsocketConsumer):
    on_asyncio = True

    async def connect(self):
        await self.accept()
        self.task = asyncio.create_task(self.tick())

    async def tick(self):
        n = 0
        while True:
            await self.send(text_data=f"tick {n}")
            n += 1
            await asyncio.sleep(0.01)

    async def disconnect(self, code):
        self.task.cancel()
        record(f"ticker disconnect {code}")


class SyncJson(JsonWebsocketConsumer):
    def receive_json(self, content, **kwargs):
        self.send_json({"echo": content})


class PollConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        await self.channel_layer.group_add("poll", self.channel_name)
        await self.send_headers(headers=[(b"Content-Type", b"application/json")])
        await self.send_body(b" ", more_body=True)
        COUNTS["polls"] += 1

    async def poll_news(self, event):
        await self.send_body(json.dumps(event["news"]).encode("utf-8"))

    async def disconnect(self):
        COUNTS["polls ended"] += 1
        await self.channel_layer.group_discard("poll", self.channel_name)


class AnswerConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, body.upper(), headers={b"Content-Type": b"text/plain"})


async def publish(scope, receive, send):
    await get_channel_layer().group_send("poll", {"type": "poll.news", "news": [1, 2]})
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


application = Greenroom(
    http=http(poll=PollConsumer.as_asgi(), answer=AnswerConsumer.as_asgi(), publish=publish),
    websocket=[
        path("ws/chat/<str:room_name>/", ChatConsumer.as_asgi()),
        path("ws/signup/", SignupConsumer.as_asgi()),
        path("ws/presence/", PresenceConsumer.as_asgi()),
        path("ws/ticker/", TickerConsumer.as_asgi()),
        path("ws/json/", SyncJson.as_asgi()),
    ],
)
