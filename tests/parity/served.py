# The application that both libraries' servers serve: only the package's name differs.
#
# A consumer does what its path and its client's texts say, and writes down what happened to it.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import asyncio
import importlib
import json
import os
from contextvars import Context
from pathlib import Path
from typing import Any

PACKAGE = os.environ.get("PARITY_PACKAGE", "")
LOG = os.environ.get("PARITY_LOG", os.devnull)

urlpatterns: list[object] = []
held: list[object] = []
"""Tasks, of which asyncio itself holds weak references only."""


class OtherBackend:
    """A second backend, so that login() has to be told which."""

    def get_user(self, user_id: object) -> None:
        """Know nobody."""


def of(path: str) -> Any:
    """Import a module of the library."""
    return importlib.import_module(f"{PACKAGE}.{path}")


def note(who: str, event: str, value: object = None) -> None:
    """Write down what happened to the connection *who*."""
    with Path(LOG).open("a") as file:
        file.write(json.dumps([who, event, value]) + "\n")


async def forever() -> None:
    """Wait until cancelled, on whichever loop this is."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        await trio.sleep_forever()
    await asyncio.Event().wait()


def make() -> Any:
    """Make the application of one library."""
    from django.urls import re_path

    generic, routing = of("generic.websocket"), of("routing")
    exceptions = of("exceptions")

    class Chat(generic.AsyncWebsocketConsumer):
        async def connect(self):
            self.who = self.scope["query_string"].decode()
            await self.channel_layer.group_add(self.who, self.channel_name)
            note(self.who, "connect")
            match self.scope["url_route"]["kwargs"].get("how", ""):
                case "deny":
                    await self.close(4003)
                case "deny-exception":
                    raise exceptions.DenyConnection
                case "raise":
                    raise LookupError("in connect")
                case "stop":
                    raise exceptions.StopConsumer
                case "accept-raise":
                    await self.accept()
                    raise LookupError("in connect")
                case "accept-close":
                    await self.accept()
                    await self.close(4009)
                case "subprotocol":
                    await self.accept("chat", headers=[(b"x-a", b"1")])
                case _:
                    await self.accept()

        async def receive(self, text_data=None, bytes_data=None):
            word, _, rest = (text_data or "").partition(" ")
            match word:
                case "close":
                    await self.close(int(rest))
                case "reason":
                    await self.close(4005, reason=rest)
                case "send-close":
                    await self.send("bye", close=4006)
                case "raise":
                    raise LookupError("in receive")
                case "stop":
                    raise exceptions.StopConsumer
                case "exit":
                    raise SystemExit(3)
                case "forever":
                    await self.send("waiting")
                    try:
                        await forever()
                    finally:
                        note(self.who, "handler's finally")
                case "tell":
                    await self.channel_layer.group_send(self.who, {"type": rest})
                case _:
                    await self.send(text_data=text_data, bytes_data=bytes_data)

        async def raises(self, message):
            raise LookupError("in a group's handler")

        async def stops(self, message):
            raise exceptions.StopConsumer

        async def closes(self, message):
            await self.close(4007)

        async def disconnect(self, code):
            note(self.who, "disconnect", code)
            await self.channel_layer.group_discard(self.who, self.channel_name)
            if self.scope["url_route"]["kwargs"].get("how") == "raise-disconnect":
                raise LookupError("in disconnect")

    class Cancelled(Chat):
        supervision = {"cancel_on_disconnect": True}  # Channels knows no such attribute

    class Tasks(Chat):
        on_asyncio = True  # Channels knows no such attribute

        async def connect(self):
            await super().connect()
            own = self.scope["url_route"]["kwargs"]["how"] == "own"
            task = asyncio.create_task(self.work(), context=Context() if own else None)
            held.append(task)

        async def work(self):
            try:
                await asyncio.Event().wait()
            finally:
                note(self.who, "task ended")

    class NoSuper(Chat):
        async def websocket_disconnect(self, message):
            note(self.who, "raw disconnect")

    class SyncChat(generic.WebsocketConsumer):
        def connect(self):
            self.who = self.scope["query_string"].decode()
            note(self.who, "connect")
            self.accept()

        def receive(self, text_data=None, bytes_data=None):
            word, _, rest = (text_data or "").partition(" ")
            match word:
                case "close":
                    self.close(int(rest))
                case "raise":
                    raise LookupError("in receive")
                case "stop":
                    raise exceptions.StopConsumer
                case _:
                    self.send(text_data=text_data, bytes_data=bytes_data)

        def disconnect(self, code):
            note(self.who, "disconnect", code)

    class Json(generic.AsyncJsonWebsocketConsumer):
        async def receive_json(self, content, **kwargs):
            await self.send_json(content)

        async def disconnect(self, code):
            note(self.scope["query_string"].decode(), "disconnect", code)

    async def groups(scope, receive, send):
        """Answer with the groups that have members."""
        layer = of("layers").get_channel_layer()
        body = json.dumps([name for name, members in layer.groups.items() if members])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    guarded = of("security.websocket").OriginValidator(Chat.as_asgi(), ["good.com"])
    routes = [
        re_path(r"^async/(?P<how>[\w-]*)$", Chat.as_asgi()),
        re_path(r"^cancelled/(?P<how>)$", Cancelled.as_asgi()),
        re_path(r"^tasks/(?P<how>(?:own)?)$", Tasks.as_asgi()),
        re_path(r"^no-super/$", NoSuper.as_asgi()),
        re_path(r"^sync/$", SyncChat.as_asgi()),
        re_path(r"^json/$", Json.as_asgi()),
        re_path(r"^guarded/$", guarded),
    ]
    return routing.ProtocolTypeRouter({"http": groups, "websocket": routing.URLRouter(routes)})


def noted(inner: Any) -> Any:
    """Have it noted of each connection when the call of *inner* for it is over."""

    async def run(scope, receive, send):
        try:
            await inner(scope, receive, send)
        finally:
            if scope["type"] == "websocket":
                note(scope["query_string"].decode(), "over")

    run.greenroom_native = getattr(inner, "greenroom_native", False)
    return run


if PACKAGE:
    from parity._settings import configure

    configure(
        "channels" if PACKAGE == "channels" else "greenroom.bridges.django",
        PACKAGE,
        Path(LOG).parent,
    )
    application = noted(make())
else:

    async def application(scope: object, receive: object, send: object) -> None:
        """Is what get_default_application() finds."""
