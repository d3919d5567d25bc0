# connections_per_user below a Greenroom(): the user is the session's, for every kind of consumer.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django_sessions import cookie, in_db, log_in, make_user
from helpers import happened, settle

from greenroom.actors import (
    EventStreamConsumer,
    HttpConsumer,
    LongPollConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import HandshakeRefused, ServerDriver, serve

pytestmark = pytest.mark.usefixtures("rolled_back")


class Chat(WebsocketConsumer):
    connections_per_user = 1

    def receive(self, text):
        if text == "crash":
            raise RuntimeError(text)
        self.send(text=str(self.user))


class News(EventStreamConsumer):
    connections_per_user = 1


class Poll(LongPollConsumer):
    connections_per_user = 1


class Page(HttpConsumer):
    connections_per_user = 1

    def handle(self, body):
        self.respond(text=str(self.user))


class Uncapped(WebsocketConsumer):
    pass


class UncappedNews(EventStreamConsumer):
    pass


@asynccontextmanager
async def capped(**options: Any) -> AsyncGenerator[ServerDriver]:
    application = Greenroom(
        http=[path("news/", News), path("poll/", Poll), path("page/", Page),
              path("all/", UncappedNews)],
        websocket=[path("chat/", Chat), path("all/", Uncapped)],
        **options,
    )  # fmt: skip
    async with serve(application) as server:
        yield server
        await settle(lambda: not server.root.connections.open)
        assert server.root.connections.caps._taken == {}


async def denied(server: ServerDriver, at: str, headers: Any) -> int:
    """Return the status that a WebSocket is refused with."""
    with pytest.raises(HandshakeRefused) as refused:
        async with server.websocket(at, headers=headers):
            pass
    return refused.value.status


async def test_sockets_of_a_user(key: str) -> None:
    """
    One more socket of a user gets 429; crashes keep the place, and the end gives it back.
    """
    async with capped() as server:
        bob = cookie(await in_db(lambda: log_in(make_user("bob"))))
        for _ in range(2):
            async with server.websocket("/chat/", headers=cookie(key)) as ws:
                assert await denied(server, "/chat/", cookie(key)) == 429
                ws.send_text("crash")
                ws.send_text("hello")
                assert await ws.receive_text() == "ada"
                assert await denied(server, "/chat/", cookie(key)) == 429
                async with server.websocket("/chat/", headers=bob):
                    pass
            await settle(lambda: not server.root.connections.open)


async def test_nobody_is_not_counted(queries: Any) -> None:
    """
    Who has sent no session is nobody: not counted, and no query asks.
    """
    async with capped() as server:
        async with server.websocket("/chat/"), server.websocket("/chat/"):
            pass
        assert happened(server, "connection.refused") == []


async def test_streams_of_a_user(key: str) -> None:
    """
    Event streams are counted alike, until they end.
    """
    async with capped() as server:
        async with server.event_stream("/news/", headers=cookie(key)):
            answer = await server.http("GET", "/news/", headers=cookie(key))
            assert answer.status == 429
            assert b"connections_per_user" in answer.body
        await settle(lambda: not server.root.connections.open)
        async with server.event_stream("/news/", headers=cookie(key)):
            pass


async def test_sessions_of_a_user(key: str) -> None:
    """
    Long-poll sessions are counted from their opening to their end, not by their requests.
    """
    async with capped() as server:
        async with server.long_poll("/poll/", headers=cookie(key)):
            answer = await server.http("POST", "/poll/", headers=cookie(key))
            assert answer.status == 429
            assert b"connections_per_user" in answer.body
        await settle(lambda: not server.root.connections.open)
        async with server.long_poll("/poll/", headers=cookie(key)):
            pass


async def test_requests_of_a_user(key: str) -> None:
    """
    Requests give their places back when they are answered.
    """
    async with capped() as server:
        for _ in range(3):
            answer = await server.http("GET", "/page/", headers=cookie(key))
            assert (answer.status, answer.body) == (200, b"ada")


async def test_all_of_a_user(key: str) -> None:
    """
    The tree's option counts what lives on, of all kinds together; requests it does not.
    """
    async with capped(connections_per_user=2) as server:
        async with (
            server.websocket("/all/", headers=cookie(key)),
            server.event_stream("/all/", headers=cookie(key)),
        ):
            assert await denied(server, "/all/", cookie(key)) == 429
            assert (await server.http("POST", "/poll/", headers=cookie(key))).status == 429
            assert (await server.http("GET", "/page/", headers=cookie(key))).status == 200


async def test_a_database_that_is_away(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where the user can't be looked up the socket is refused with 503, and no place is kept.
    """

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("the database is away")

    async with capped() as server:
        with monkeypatch.context() as patch:
            patch.setattr("greenroom.bridges.django._identity.user_of_session", away)
            assert await denied(server, "/chat/", cookie(key)) == 503
        async with server.websocket("/chat/", headers=cookie(key)):
            pass
        assert await in_db(get_user_model().objects.count) == 1
