# Cookies, session and user of a connection: lazy, in both colours, saved and forgotten.

import copy
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.test import override_settings
from django_sessions import cookie, in_db, served, store

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import serve

pytestmark = pytest.mark.usefixtures("rolled_back")

ENGINES = pytest.mark.parametrize(
    "engine", ["db", "cached_db", "signed_cookies", "file", "cache"], indirect=True
)


class Who(WebsocketConsumer):
    def receive(self, text):
        if text == "count":
            self.session["count"] = self.session.get("count", 0) + 1
        elif text == "raise":
            self.session["count"] = 100
            raise ValueError("after a change")
        elif text == "out":
            self.logout()
        elif text == "save":
            self.session["kept"] = True
            self.save_session()
            raise ValueError("after a save")
        self.send(text=f"{self.user} {self.session.get('count')} {self.session.get('kept')}")


class Async(WebsocketConsumer):
    async def receive(self, text):
        try:
            if text == "load":
                await self.load_user()
            elif text == "session":
                await self.load_session()
                self.session["count"] = 1
            elif text == "out":
                await self.logout()
            elif text == "in":
                self.session["count"] = 7
            await self.send(text=str(self.user))
        except Exception as error:
            await self.send(text=f"{type(error).__name__}: {error}")


async def test_lazy(key: str, queries: list[str]) -> None:
    """
    LAZY: a socket whose handlers never ask for it costs no query and has no session object.
    """

    class Plain(WebsocketConsumer):
        async def receive(self, text):
            await self.send(text=",".join(sorted({"cookies", "session", "user"} & set(self.scope))))

    async with served(Plain) as server, server.websocket("/plain/", headers=cookie(key)) as ws:
        ws.send_text("?")
        assert await ws.receive_text() == "cookies,session,user"
        assert "user" not in ws.slot.facts
        assert "session" not in ws.slot.facts
    assert queries == []


async def test_a_scope_can_be_shown(key: str, queries: list[str]) -> None:
    """
    Who logs a whole scope, or copies it, looks nothing up; what was looked up is shown.
    """

    class Show(WebsocketConsumer):
        async def receive(self, text):
            copied = {name: copy.copy(value) for name, value in self.scope.items()}
            if text == "behind":
                await self.load_user()
                _ = copied["user"].username
            await self.send(text=repr({**copied, "headers": []}))

    async with served(Show) as server, server.websocket("/show/", headers=cookie(key)) as client:
        client.send_text("before")
        shown = await client.receive_text()
        assert "LazyUser, not looked up yet" in shown
        assert "LazySession, not looked up yet" in shown
        assert queries == []
        client.send_text("behind")
        assert "LazyUser: <User: ada>" in await client.receive_text()


@ENGINES
async def test_user_and_session_in_def_handlers(engine: str, key: str) -> None:
    """
    In a `def` handler `self.user` and `self.session` are there, and what it changes is saved.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("count")
        assert await ws.receive_text() == "ada 1 None"
        ws.send_text("count")
        assert await ws.receive_text() == "ada 2 None"
        ws.send_text("?")  # what the handler before it has changed is saved by now
        await ws.receive_text()
        if engine != "signed_cookies":  # there the browser has the only copy
            assert await in_db(lambda: store(key)["count"]) == 2


async def test_nobody_logged_in(queries: list[str]) -> None:
    """
    Without a session the user is anonymous, on trio as well, for no query is needed.
    """
    async with served(Who, Async) as server:
        async with server.websocket("/who/") as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "AnonymousUser None None"
        async with server.websocket("/async/") as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "AnonymousUser"
    assert queries == []


@pytest.mark.parametrize("engine", ["db", "file"], indirect=True)
async def test_touched_on_trio(key: str) -> None:
    """
    On trio a touch that takes a query raises what to write instead; then it works.
    """
    async with served(Async) as server, server.websocket("/async/", headers=cookie(key)) as ws:
        ws.send_text("?")
        said = await ws.receive_text()
        assert said.startswith("SynchronousOnlyOperation: the user needs")
        assert "await self.load_user()" in said
        ws.send_text("in")
        assert "await self.load_session()" in await ws.receive_text()
        ws.send_text("load")
        assert await ws.receive_text() == "ada"
        ws.send_text("session")
        assert await ws.receive_text() == "ada"
        ws.send_text("?")  # what the handler before it has changed is saved by now
        assert await ws.receive_text() == "ada"
        assert await in_db(lambda: store(key)["count"]) == 1


@pytest.mark.parametrize("engine", ["db", "cache", "file"], indirect=True)
async def test_succeeded(key: str) -> None:
    """
    SUCCEEDED: what a handler changed before it raised is forgotten; what it saved is not.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        for text in ("count", "raise", "save", "?"):
            ws.send_text(text)
        assert await ws.receive_text() == "ada 1 None"
        assert await ws.receive_text() == "ada 1 True"


async def test_gone_when_saved(key: str) -> None:
    """
    A session that is gone when a handler's change is to be saved closes the socket with 4401.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        await ws.receive_text()
        await in_db(store(key).flush)
        ws.send_text("count")
        await ws.receive_text()
        assert (await ws.closed()).code == 4401


class Begins(WebsocketConsumer):
    def connect(self):
        self.session["cart"] = ["tea"]
        self.accept()


class BeginsOnTrio(WebsocketConsumer):
    async def connect(self):
        self.session["cart"] = ["tea"]
        await self.accept()


@pytest.mark.parametrize("consumer", [Begins, BeginsOnTrio])
@ENGINES
async def test_new_key(engine: str, consumer: type[WebsocketConsumer]) -> None:
    """
    NEW KEY: a session begun in `connect` is told to the browser by the answer that accepts.
    """
    async with served(consumer, Who) as server:
        async with server.websocket(f"/{consumer.__name__.lower()}/") as ws:
            (header,) = [v for n, v in ws.response_headers if n == b"set-cookie"]
            morsel = SimpleCookie(header.decode())[settings.SESSION_COOKIE_NAME]
            assert morsel["httponly"]
            assert morsel["samesite"] == "Lax"
        assert await in_db(lambda: store(morsel.value)["cart"]) == ["tea"]


async def test_no_cookie_without_news(key: str) -> None:
    """
    A session that the browser knows is not told again, nor one that was only looked at.
    """

    class Reads(WebsocketConsumer):
        def connect(self):
            self.session.get("x")
            if "write" in self.cookies:
                self.session["x"] = 1
            self.accept()

    async with served(Reads) as server:
        for headers in ([], cookie(key), [("cookie", f"{cookie(key)[0][1]}; write=1")]):
            async with server.websocket("/reads/", headers=headers) as ws:
                assert [n for n, _ in ws.response_headers if n == b"set-cookie"] == []


async def test_fresh(user: Any, key: str) -> None:
    """
    `load_user(fresh=True)` sees what has changed since, and `self.user` with it.
    """

    class Fresh(WebsocketConsumer):
        async def receive(self, text):
            await self.load_user(fresh=text == "fresh")
            await self.send(text=self.user.email)

    async with served(Fresh) as server:
        async with server.websocket("/fresh/", headers=cookie(key)) as ws:
            ws.send_text("?")
            assert await ws.receive_text() == ""
            user.email = "new@example.com"
            await in_db(user.save)
            ws.send_text("?")
            assert await ws.receive_text() == ""
            ws.send_text("fresh")
            assert await ws.receive_text() == "new@example.com"


async def test_a_fallback_key_upgrades(key: str) -> None:
    """
    A session that a key of SECRET_KEY_FALLBACKS has signed is upgraded and keeps its key.
    """
    rotated = override_settings(SECRET_KEY="the next", SECRET_KEY_FALLBACKS=["only for tests"])
    async with served(Who) as server:
        before = await in_db(lambda: dict(store(key).items()))
        with rotated:
            async with server.websocket("/who/", headers=cookie(key)) as ws:
                ws.send_text("?")
                assert await ws.receive_text() == "ada None None"
            after = await in_db(lambda: dict(store(key).items()))
    assert after[SESSION_KEY] == before[SESSION_KEY]
    assert after["_auth_user_hash"] != before["_auth_user_hash"]


async def test_a_wrong_hash_flushes(user: Any, key: str) -> None:
    """
    A session of before the password was changed is nobody's, and flushed as Django does.
    """
    user.set_password("another")
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        await in_db(user.save)
        ws.send_text("?")
        assert await ws.receive_text() == "AnonymousUser None None"
        assert not await in_db(store().exists, key)


async def test_facts_hold_ids_only(user: Any, key: str) -> None:
    """
    The tree tells the user's id and a digest of the session's key, which would let anybody in.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        await ws.receive_text()
        facts = ws.slot.facts
        assert facts["user"] == str(user.pk)
        assert len(str(facts["session"])) == 8
        assert key not in str(server.root.snapshot().as_dict())


async def test_a_scope_may_be_copied(key: str) -> None:
    """
    A middleware that copies the whole scope, as some do, leaves it one connection's.
    """

    async def copies(scope: Any, receive: Any, send: Any) -> None:
        await Who.as_asgi()(copy.deepcopy(scope), receive, send)

    application = Greenroom(websocket=copies, close_seconds=0)
    async with serve(application) as server, server.websocket("/", headers=cookie(key)) as ws:
        ws.send_text("count")
        assert await ws.receive_text() == "ada 1 None"
        ws.send_text("out")
        assert await ws.receive_text() == "AnonymousUser None None"
