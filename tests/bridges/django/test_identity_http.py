# Consumers of HTTP know their user as those of WebSockets do; strangers' pages open no streams.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings
from django_sessions import cookie, in_db, store

from greenroom.actors import EventStreamConsumer, HttpConsumer
from greenroom.bridges.django import Greenroom, adisconnect_user, path
from greenroom.bridges.testing import ServerDriver, StreamEnded, serve

pytestmark = pytest.mark.usefixtures("rolled_back")


class Page(HttpConsumer):
    def handle(self, body):
        self.session["seen"] = self.session.get("seen", 0) + 1
        self.respond(text=f"{self.user} {self.session['seen']}")


class PageOnTrio(HttpConsumer):
    async def handle(self, body):
        await self.load_session()
        self.session["seen"] = self.session.get("seen", 0) + 1
        await self.respond(text=f"{await self.load_user()} {self.session['seen']}")


class News(EventStreamConsumer):
    def connect(self):
        self.accept()
        self.send(data=str(self.user))


@asynccontextmanager
async def pages() -> AsyncGenerator[ServerDriver]:
    routes = [path("page/", Page), path("trio/", PageOnTrio), path("news/", News)]
    async with serve(Greenroom(http=routes)) as server:
        yield server


@pytest.mark.parametrize("at", ["/page/", "/trio/"])
async def test_a_request(at: str, key: str) -> None:
    """
    A consumer of HTTP has the user and the session, and what it changes is saved.
    """
    async with pages() as server:
        answer = await server.http("GET", at, headers=cookie(key))
        assert answer.body == b"ada 1"
        answer = await server.http("GET", at, headers=cookie(key))
        assert answer.body == b"ada 2"
        assert await in_db(lambda: store(key)["seen"]) == 2


@pytest.mark.parametrize("at", ["/page/", "/trio/"])
async def test_a_new_session(at: str, engine: str) -> None:
    """
    A session that a request begins is told to the browser with the response.
    """
    async with pages() as server:
        answer = await server.http("GET", at)
        (header,) = [value for name, value in answer.headers if name == b"set-cookie"]
        morsel = SimpleCookie(header.decode())[settings.SESSION_COOKIE_NAME]
        assert await in_db(lambda: store(morsel.value)["seen"]) == 1


async def test_origins(key: str) -> None:
    """
    A page of a stranger opens no event stream; a plain request is an API's own business.
    """
    evil = [("origin", "https://evil.net"), ("host", "testserver")]
    async with pages() as server:
        assert (await server.http("GET", "/news/", headers=evil)).status == 403
        assert (await server.http("GET", "/page/", headers=evil)).status == 200


async def test_a_stream_of_a_user(user: Any, key: str) -> None:
    """
    `disconnect_user` ends event streams as well.
    """
    async with pages() as server:
        async with server.event_stream("/news/", headers=cookie(key)) as stream:
            assert (await stream.next_event()).data == "ada"
            assert await adisconnect_user(user) == 1
            with pytest.raises(StreamEnded):
                await stream.next_event()
