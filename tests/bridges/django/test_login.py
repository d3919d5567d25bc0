# login() and logout() from a socket, in both colours.

from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model, user_logged_in, user_logged_out
from django.test import override_settings
from django_sessions import MODEL_BACKEND, cookie, in_db, make_user, served, store

from greenroom.actors import WebsocketConsumer

pytestmark = pytest.mark.usefixtures("rolled_back")


class Sync(WebsocketConsumer):
    def receive(self, text):
        if text == "in":
            self.session["basket"] = "tea"
            self.login(get_user_model().objects.get(username="ada"), MODEL_BACKEND)
        elif text == "out":
            self.logout()
        self.send(text=f"{self.user} {self.session.session_key}")


class Async(WebsocketConsumer):
    async def receive(self, text):
        if text == "in":
            await self.login(await get_user_model().objects.aget(username="ada"), MODEL_BACKEND)
        elif text == "out":
            await self.logout()
        await self.load_user()
        await self.send(text=f"{self.user} {self.session.session_key}")


@pytest.mark.parametrize("consumer", [Sync, Async])
async def test_login(consumer: type[WebsocketConsumer], user: Any) -> None:
    """
    A login from a socket changes the session's key, keeps its data and is saved at once.
    """
    told: list[Any] = []

    def receiver(request: Any, user: Any, **_: Any) -> None:
        told.append((request.META["HTTP_USER_AGENT"], user.username))

    user_logged_in.connect(receiver)
    async with served(consumer) as server:
        session = store()
        session["from"] = "a page"
        await in_db(session.save)
        old = session.session_key
        headers = [*cookie(old), ("user-agent", "a browser")]
        async with server.websocket(f"/{consumer.__name__.lower()}/", headers=headers) as ws:
            ws.send_text("in")
            name, key = (await ws.receive_text()).split()
            assert name == "ada"
            assert key != old
            assert not await in_db(store().exists, old)
            assert await in_db(lambda: store(key)["from"]) == "a page"
            assert await in_db(lambda: store(key)[SESSION_KEY]) == str(user.pk)
            if consumer is Sync:
                assert await in_db(lambda: store(key)["basket"]) == "tea"
    user_logged_in.disconnect(receiver)
    assert told == [("a browser", "ada")]


@pytest.mark.parametrize("consumer", [Sync, Async])
async def test_logout(consumer: type[WebsocketConsumer], key: str) -> None:
    """
    A log-out from a socket flushes the session, sends the signal, and the socket goes on.
    """
    told: list[str] = []

    def receiver(user: Any, **_: Any) -> None:
        told.append(user.username)

    user_logged_out.connect(receiver)
    async with served(consumer) as server:
        name = consumer.__name__.lower()
        async with server.websocket(f"/{name}/", headers=cookie(key)) as ws:
            ws.send_text("out")
            assert await ws.receive_text() == "AnonymousUser None"
            assert not await in_db(store().exists, key)
            ws.send_text("?")
            assert await ws.receive_text() == "AnonymousUser None"
    user_logged_out.disconnect(receiver)
    assert told == ["ada"]


async def test_another_users_session_is_flushed(key: str) -> None:
    """
    A login where another user is logged in begins an empty session, as Django has it.
    """

    class Other(WebsocketConsumer):
        def receive(self, text):
            self.session["secret"] = "ada's"
            self.login(make_user("bob"), MODEL_BACKEND)
            self.send(text=f"{self.user} {self.session.get('secret')}")

    async with served(Other) as server, server.websocket("/other/", headers=cookie(key)) as ws:
        ws.send_text("?")
        assert await ws.receive_text() == "bob None"
        assert not await in_db(store().exists, key)


async def test_at_the_handshake(user: Any, engine: str) -> None:
    """
    Who is logged in by `connect` is told the session's key by the answer that accepts.
    """

    class Entry(WebsocketConsumer):
        def connect(self):
            self.login(get_user_model().objects.get(username="ada"), MODEL_BACKEND)
            self.accept()

    async with served(Entry) as server, server.websocket("/entry/") as ws:
        (header,) = [v for n, v in ws.response_headers if n == b"set-cookie"]
        key = SimpleCookie(header.decode())[settings.SESSION_COOKIE_NAME].value
        assert await in_db(lambda: store(key)[SESSION_KEY]) == str(user.pk)


async def test_several_backends(user: Any) -> None:
    """
    With several backends one must be named; the error is Django's.
    """

    class Unnamed(WebsocketConsumer):
        def receive(self, text):
            try:
                self.login(get_user_model().objects.get(username="ada"))
            except ValueError as error:
                self.send(text=str(error))

    backends = [MODEL_BACKEND, "django.contrib.auth.backends.AllowAllUsersModelBackend"]
    with override_settings(AUTHENTICATION_BACKENDS=backends):
        async with served(Unnamed) as server, server.websocket("/unnamed/") as ws:
            ws.send_text("?")
            assert "multiple authentication backends" in await ws.receive_text()


async def test_without_an_app_that_fills_it() -> None:
    """
    A consumer that Greenroom() does not serve has nobody, and is told where it would.
    """
    from greenroom.bridges.testing import serve

    class Alone(WebsocketConsumer):
        def receive(self, text):
            try:
                self.send(text=str(self.user))
            except LookupError as error:
                self.send(text=str(error))

    async with serve(Alone.as_asgi()) as server, server.websocket("/") as ws:
        ws.send_text("?")
        assert "greenroom.bridges.django.Greenroom" in await ws.receive_text()


async def test_without_the_apps() -> None:
    """
    Without the sessions' table everybody is anonymous; without users each touch says so.
    """

    class Asks(WebsocketConsumer):
        def receive(self, text):
            try:
                self.send(text=str(getattr(self, text).is_authenticated))
            except Exception as error:
                self.send(text=f"{type(error).__name__}: {error}")

    apps = ["django.contrib.auth", "django.contrib.contenttypes", "greenroom.bridges.django"]
    with override_settings(INSTALLED_APPS=apps):
        async with served(Asks) as server:
            async with server.websocket("/asks/", headers=cookie("x" * 32)) as ws:
                ws.send_text("user")
                assert await ws.receive_text() == "False"
                ws.send_text("session")
                assert "django.contrib.sessions is not in" in await ws.receive_text()
    with override_settings(INSTALLED_APPS=["greenroom.bridges.django"]):
        async with served(Asks) as server:
            async with server.websocket("/asks/") as ws:
                ws.send_text("user")
                assert "django.contrib.auth is not in INSTALLED_APPS" in await ws.receive_text()
