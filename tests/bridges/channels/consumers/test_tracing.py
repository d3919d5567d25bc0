# Spans of what a channel layer brings: a handler stands below the sending, whatever way that took.

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path as route
from helpers import settle
from opentelemetry.trace import SpanKind
from recorded_spans import Spans, is_below, recorded, said
from redis_server import RedisServer

from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.django import (
    Greenroom,
    django_application,
    on_asyncio,
    on_trio,
    path,
)
from greenroom.bridges.testing import ServerDriver, serve

HELLO = {"type": "chat.message", "text": "hello"}


def sync_view(request: Any) -> HttpResponse:
    async_to_sync(get_channel_layer().group_send)("room", HELLO)
    return HttpResponse()


def blocking_view(request: Any) -> HttpResponse:
    get_channel_layer().group_send_blocking("room", HELLO)
    return HttpResponse()


@on_trio
async def trio_view(request: Any) -> HttpResponse:
    await get_channel_layer().group_send("room", HELLO)
    return HttpResponse()


@on_asyncio
async def asyncio_view(request: Any) -> HttpResponse:
    await get_channel_layer().group_send("room", HELLO)
    return HttpResponse()


urlpatterns = [
    route("sync/", sync_view),
    route("blocking/", blocking_view),
    route("trio/", trio_view),
    route("asyncio/", asyncio_view),
]


class Chat(AsyncWebsocketConsumer):
    groups = ["room"]

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "me":
            await self.channel_layer.send(self.channel_name, HELLO)
        else:
            await self.channel_layer.group_send("room", HELLO)

    async def chat_message(self, message: Any) -> None:
        await self.send(repr(message))


class AsyncioChat(Chat):
    on_asyncio = True


class SyncChat(WebsocketConsumer):
    groups = ["room"]

    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        send = self.channel_layer.send if text_data == "me" else self.channel_layer.group_send
        target = self.channel_name if text_data == "me" else "room"
        async_to_sync(send)(target, HELLO)

    def chat_message(self, message: Any) -> None:
        self.send(repr(message))


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """The views of this file, and the layer of one process."""
    layer = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    with override_settings(ROOT_URLCONF=__name__, CHANNEL_LAYERS={"default": layer}):
        yield


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of all trees that begin in the test."""
    with recorded() as spans:
        yield spans


def served(consumer: Any) -> Any:
    """Serve *consumer*, called `Chat` in all spans, and the views."""
    consumer = type("Chat", (consumer,), {})
    websocket = [path("chat", consumer.as_asgi())]
    return serve(Greenroom(websocket=websocket, http=django_application()))


kinds = pytest.mark.parametrize("consumer", [Chat, SyncChat, AsyncioChat])


@kinds
@pytest.mark.parametrize("view", ["sync", "blocking", "trio", "asyncio"])
async def test_from_a_view(spans: Spans, consumer: Any, view: str) -> None:
    """
    What a view sends to a group has one span below the view's, and the handlers stand below that.
    """
    async with served(consumer) as server:
        async with server.websocket("/chat") as one, server.websocket("/chat") as two:
            await server.http("GET", f"/{view}/")
            assert [await each.receive_text() for each in (one, two)] == [repr(HELLO)] * 2
            await settle(lambda: len(spans.named("process Chat chat.message")) == 2)
    asked, sent = spans.one(f"GET /{view}/"), spans.one("send to group")

    assert is_below(sent, asked)
    assert spans.children(sent) == ["process Chat chat.message"] * 2
    assert sent.kind is SpanKind.PRODUCER
    assert said(sent)["messaging.destination.name"] == "room"
    assert said(sent)["greenroom.message"] == "chat.message"
    assert said(sent)["greenroom.reached"] == 2
    assert spans.named("send Chat") == []


async def frame(server: ServerDriver, text: str, spans: Spans) -> None:
    """Have a consumer send by the layer, and wait until what was sent is handled."""
    async with server.websocket("/chat") as client:
        client.send_text(text)
        assert await client.receive_text() == repr(HELLO)
        await settle(lambda: spans.named("process Chat chat.message"))


@kinds
async def test_from_a_handler(spans: Spans, consumer: Any) -> None:
    """
    What a handler sends to a group is handled below it, in a thread and on both loops.
    """
    async with served(consumer) as server:
        await frame(server, "all", spans)

    assert spans.children(spans.one("process Chat text frame")) == ["send to group"]
    assert spans.children(spans.one("send to group")) == ["process Chat chat.message"]


@kinds
async def test_to_one_channel(spans: Spans, consumer: Any) -> None:
    """
    What a handler sends to one consumer has the span of any message, and is handled below that.
    """
    async with served(consumer) as server:
        await frame(server, "me", spans)

    assert spans.children(spans.one("process Chat text frame")) == ["send Chat"]
    assert spans.children(spans.one("send Chat")) == ["process Chat chat.message"]


async def test_from_outside_of_any_tree(spans: Spans) -> None:
    """
    What is sent where no tree runs is handled below the span that is current there.
    """
    async with served(Chat) as server, server.websocket("/chat") as client:
        with spans.tracer().start_as_current_span("script"):
            await get_channel_layer().group_send("room", HELLO)
        assert await client.receive_text() == repr(HELLO)
        await settle(lambda: spans.named("process Chat chat.message"))

    assert spans.children(spans.one("script")) == ["send Chat"]
    assert spans.children(spans.one("send Chat")) == ["process Chat chat.message"]


async def test_a_message_without_a_type(spans: Spans) -> None:
    """
    A dict without a type is no trouble for the span of its sending; the consumer's is its own.
    """

    @on_trio
    async def view(request: Any) -> HttpResponse:
        await get_channel_layer().group_send("nobody", {"text": "hello"})
        return HttpResponse()

    urlpatterns.append(route("typeless/", view))
    try:
        async with served(Chat) as server:
            assert (await server.http("GET", "/typeless/")).status == 200
    finally:
        urlpatterns.pop()

    assert said(spans.one("send to group"))["greenroom.reached"] == 0


@pytest.mark.parametrize("layer", ["core.RedisChannelLayer", "pubsub.RedisPubSubChannelLayer"])
async def test_not_through_redis(spans: Spans, redis_server: RedisServer, layer: str) -> None:
    """
    The layers on Redis take nothing along: a handler begins a trace, whatever is current elsewhere.
    """
    config = {"hosts": [redis_server.url], "prefix": layer}
    backend = {"BACKEND": f"channels_redis.{layer}", "CONFIG": config}
    with override_settings(CHANNEL_LAYERS={"default": backend}):
        with spans.tracer().start_as_current_span("script"):  # where the layer begins its work
            await get_channel_layer().group_send("other", HELLO)
        async with served(Chat) as server, server.websocket("/chat") as client:
            with spans.tracer().start_as_current_span("script"):
                await get_channel_layer().group_send("room", HELLO)
            assert await client.receive_text(timeout=20) == repr(HELLO)
            await settle(lambda: spans.named("process Chat chat.message"))
        await get_channel_layer().close()
    sent = spans.one("send Chat")

    assert sent.parent is None
    assert is_below(spans.one("process Chat chat.message"), sent)
    assert spans.children(spans.named("script")[1]) == []
