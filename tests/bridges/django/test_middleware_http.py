# Consumers of HTTP behind somebody's ASGI middleware, or served by themselves, below a Greenroom():
# they have their user, strangers' pages open none, and users are counted.

from typing import Any

import pytest
from django_sessions import cookie
from helpers import settle

from greenroom.actors import EventStreamConsumer, LongPollConsumer
from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.django import Greenroom, adisconnect_user, path
from greenroom.bridges.testing import StreamEnded, serve

pytestmark = pytest.mark.usefixtures("rolled_back")

EVIL = [("origin", "https://evil.net"), ("host", "testserver")]


class News(EventStreamConsumer):
    connections_per_user = 1

    def connect(self):
        self.accept()
        self.send(data=str(self.user))


class Poll(LongPollConsumer):
    def connect(self):
        self.accept()
        self.send(text=str(self.user))


def wrapped(application: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "seen": True}, receive, send)

    return middleware


async def test_behind_a_middleware(user: Any, key: str) -> None:
    """
    A middleware that copies the scope takes nothing away.
    """
    routes = [path("news/", wrapped(News.as_asgi())), path("poll/", wrapped(Poll.as_asgi()))]
    async with serve(Greenroom(http=routes)) as server:
        assert (await server.http("GET", "/news/", headers=EVIL)).status == 403
        assert (await server.http("POST", "/poll/", headers=EVIL)).status == 403
        async with server.event_stream("/news/", headers=cookie(key)) as stream:
            assert (await stream.next_event()).data == "ada"
            assert (await server.http("GET", "/news/", headers=cookie(key))).status == 429
            assert await adisconnect_user(user) == 1
            with pytest.raises(StreamEnded):
                await stream.next_event()
        async with server.long_poll("/poll/", headers=cookie(key)) as poll:
            assert await poll.receive_text() == "ada"


@pytest.mark.parametrize("copies", [True, False])
async def test_a_session_behind_a_middleware_is_found(user: Any, key: str, copies: bool) -> None:
    """
    A long-poll session is its user's beyond the request that opened it, whatever stands around.
    """

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await Poll.as_asgi()({**scope} if copies else scope, receive, send)

    async with serve(Greenroom(http=[path("poll/", middleware)])) as server:
        async with server.long_poll("/poll/", headers=cookie(key)) as poll:
            assert await poll.receive_text() == "ada"
            assert await adisconnect_user(user) == 1
            assert (await poll.closed()).code == 4401


async def test_alone(key: str) -> None:
    """
    One consumer for all of HTTP is no different.
    """
    async with serve(Greenroom(http=News.as_asgi())) as server:
        assert (await server.http("GET", "/", headers=EVIL)).status == 403
        async with server.event_stream("/", headers=cookie(key)) as stream:
            assert (await stream.next_event()).data == "ada"
        await settle(lambda: not server.root.connections.open)


async def test_behind_a_token(user: Any) -> None:
    """
    Who comes by a token is known as its user, and is asked for no Origin.
    """

    async def authenticate(token: str, scope: Any) -> Any:
        return user if token == "right" else None

    routes = [path("news/", TokenAuthentication(News, authenticate))]
    right = [("authorization", "Bearer right")]
    async with serve(Greenroom(http=routes)) as server:
        async with server.event_stream("/news/", headers=[*right, *EVIL]) as stream:
            assert (await stream.next_event()).data == "ada"
            assert (await server.http("GET", "/news/", headers=right)).status == 429
            assert await adisconnect_user(user) == 1
            with pytest.raises(StreamEnded):
                await stream.next_event()
        assert (await server.http("GET", "/news/")).status == 401
