# Sockets whose session or user is no longer what it was; and all sockets of one user.

import gc
import sys
import weakref
from collections.abc import Callable
from contextvars import Context
from typing import Any, cast

import pytest
import trio
from django.contrib.auth import get_user_model, logout
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import override_settings
from django.utils import timezone
from django_sessions import cookie, in_db, log_in, make_user, served, store

from greenroom.actors import WebsocketConsumer, WrongSide
from greenroom.actors._ports import IDENTITY
from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.django import (
    Greenroom,
    _book,
    aconnections_of,
    adisconnect_user,
    connections_of,
    disconnect_user,
)
from greenroom.bridges.django._identity import Identity
from greenroom.bridges.testing import serve, virtual_clock

pytestmark = pytest.mark.usefixtures("rolled_back")


@pytest.fixture
def clock() -> trio.testing.MockClock:
    """
    A clock that knows of worker threads.
    """
    return virtual_clock()


class Who(WebsocketConsumer):
    revalidate_seconds = 30

    def receive(self, text):
        self.send(text=str(self.user))


class Never(WebsocketConsumer):
    revalidate_seconds = None

    def receive(self, text):
        self.send(text=str(self.user))


def deactivate(user: Any, key: str) -> None:
    user.is_active = False
    user.save()


def change_password(user: Any, key: str) -> None:
    user.password = "!another"
    user.save()


def expire(user: Any, key: str) -> None:
    Session.objects.update(expire_date=timezone.now())


CHANGES = [
    (deactivate, "the user may not log in any more"),
    (lambda user, key: user.delete(), "the user may not log in any more"),
    (change_password, "the password was changed"),
    (expire, "the session has ended"),
    (lambda user, key: store(key).flush(), "the session has ended"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
async def test_who_may_not_go_on_is_closed(
    clock: trio.testing.MockClock, change: Callable[..., Any], reason: str, user: Any, key: str
) -> None:
    """
    A socket closes with 4401 once its user or its session is no longer what it was.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        assert await ws.receive_text() == "ada"
        await in_db(change, user, key)
        await trio.sleep(31)
        closed = await ws.closed()
        assert (closed.code, closed.reason) == (4401, reason)


async def test_who_may_is_left_alone(
    clock: trio.testing.MockClock, key: str, queries: list[str]
) -> None:
    """
    A socket whose user is as before stays open, look after look; a class may say never.
    """
    async with served(Who, Never) as server:
        async with (
            server.websocket("/who/", headers=cookie(key)) as ws,
            server.websocket("/never/", headers=cookie(key)) as other,
        ):
            for each in (ws, other):
                each.send_text("?")
                assert await each.receive_text() == "ada"
            queries.clear()
            await trio.sleep(100)
            assert len(queries) == 3 * 2  # the session's and the user's
            ws.send_text("?")
            assert await ws.receive_text() == "ada"


async def test_nobodys_meanwhile(user: Any, key: str) -> None:
    """
    One of which a thread finds out, just when it is looked at, that it is nobody's, is left alone.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as peer:
        peer.send_text("who")
        assert await peer.receive_text() == "ada"
        (book,) = _book.all_books()
        (identity,) = book.everybody()
        identity.user_value = None
        await book._look_at([identity])
        peer.send_text("who")
        assert await peer.receive_text() == "ada"


async def test_who_was_never_asked_for(
    clock: trio.testing.MockClock, key: str, queries: list[str]
) -> None:
    """
    A socket of which nobody has asked whose it is is not looked at either.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)):
        await trio.sleep(1000)
    assert queries == []


async def test_many_in_bounded_batches(
    clock: trio.testing.MockClock, user: Any, queries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Many that are due together are asked about in batches, each of two queries.
    """
    monkeypatch.setattr(_book, "BATCH", 4)
    async with served(Who, revalidate_seconds=5) as server, trio.open_nursery() as nursery:
        keys = [await in_db(log_in, user) for _ in range(10)]
        sockets = [server.dial("/who/", headers=cookie(key)) for key in keys]
        for ws in sockets:
            await ws.handshake()
            ws.send_text("?")
            assert await ws.receive_text() == "ada"
        queries.clear()
        await trio.sleep(31)
        assert len(queries) == 3 * 2
        for ws in sockets:
            ws.disconnect()
        nursery.cancel_scope.cancel()


async def test_a_database_that_is_down(
    clock: trio.testing.MockClock, key: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """
    Where nobody can be asked nobody is thrown out; the log says so, and it is tried again.
    """
    asked: list[int] = []

    def fails(tickets: Any) -> Any:
        asked.append(len(tickets))
        raise OSError("no database")

    monkeypatch.setattr(_book, "problems_of", fails)
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        await ws.receive_text()
        await trio.sleep(61)
        ws.send_text("?")
        assert await ws.receive_text() == "ada"
    assert asked == [1, 1]
    assert "1 connections could not be looked at; they stay open" in caplog.text


@pytest.mark.parametrize("engine", ["cached_db", "cache", "file", "signed_cookies"], indirect=True)
async def test_other_engines(
    clock: trio.testing.MockClock, engine: str, user: Any, key: str
) -> None:
    """
    Sessions of any engine are looked at: who is as before stays, who may not go on is closed.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        await ws.receive_text()
        await trio.sleep(61)
        ws.send_text("?")
        assert await ws.receive_text() == "ada"
        await in_db(deactivate, user, key)
        await trio.sleep(31)
        assert (await ws.closed()).code == 4401


async def test_log_out_on_a_page(user: Any, key: str) -> None:
    """
    A log-out on a page closes the sockets with that session at once, touched or not; no others.
    """

    def log_out() -> None:
        request = HttpRequest()
        request.session = store(key)
        request.user = user
        logout(request)

    async with served(Who) as server:
        other_key = await in_db(log_in, user)
        async with (
            server.websocket("/who/", headers=cookie(key)) as touched,
            server.websocket("/who/", headers=cookie(key)) as untouched,
            server.websocket("/who/", headers=cookie(other_key)) as other,
        ):
            for ws in (touched, other):
                ws.send_text("?")
                assert await ws.receive_text() == "ada"
            await in_db(log_out)
            for ws in (touched, untouched):
                closed = await ws.closed()
                assert (closed.code, closed.reason) == (4401, "logged out")
            other.send_text("?")
            assert await other.receive_text() == "ada"


class Admin(WebsocketConsumer):
    def receive(self, text):
        self.send(text=f"{len(connections_of(text))} {disconnect_user(text, 4403, 'banned')}")


class AdminOnTrio(WebsocketConsumer):
    async def receive(self, text):
        with pytest.raises(WrongSide, match=r"await adisconnect_user\(...\)"):
            disconnect_user(text)
        there = len(await aconnections_of(text))
        await self.send(text=f"{there} {await adisconnect_user(text, 4403, 'banned')}")


@pytest.mark.parametrize("admin", [Admin, AdminOnTrio])
@pytest.mark.parametrize("engine", ["db", "cache"], indirect=True)
async def test_disconnect_user(
    admin: type[WebsocketConsumer],
    engine: str,
    user: Any,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    One call closes all sockets of a user, those too of which nobody has asked whose they are.
    """
    monkeypatch.setattr("greenroom.bridges.django._disconnect.BATCH", 2)
    async with served(Who, admin) as server, trio.open_nursery() as nursery:
        other = await in_db(make_user, "bob")
        others_key = await in_db(log_in, other)
        sockets = [server.dial("/who/", headers=cookie(key)) for _ in range(5)]
        bobs = [server.dial("/who/", headers=cookie(others_key)), server.dial("/who/")]
        for ws in sockets + bobs:
            await ws.handshake()
        sockets[0].send_text("?")
        await sockets[0].receive_text()
        async with server.websocket(f"/{admin.__name__.lower()}/") as boss:
            boss.send_text(str(user.pk))
            assert await boss.receive_text() == "5 5"
            for ws in sockets:
                closed = await ws.closed()
                assert (closed.code, closed.reason) == (4403, "banned")
            boss.send_text(str(user.pk))
            assert await boss.receive_text() == "0 0"
        for ws in bobs:
            ws.send_text("?")
            await ws.receive_text()
            ws.disconnect()
        nursery.cancel_scope.cancel()


async def test_from_a_thread_of_nobody(user: Any, key: str) -> None:
    """
    A thread that no tree has started reaches those of this process all the same.
    """
    async with served(Who) as server, server.websocket("/who/", headers=cookie(key)) as ws:
        ws.send_text("?")
        await ws.receive_text()
        done = await trio.to_thread.run_sync(Context().run, disconnect_user, user)
        assert done == 1
        assert (await ws.closed()).code == 4401


async def test_a_code_that_may_not_be_sent(user: Any) -> None:
    """
    A close code that no endpoint may send is refused, before anybody is looked for.
    """
    with pytest.raises(ValueError, match="close code must be"):
        await adisconnect_user(user, code=1006)


class KeyBackend:
    """A backend of a project's own, which looks users up by itself."""

    def get_user(self, user_id: Any) -> Any:
        return get_user_model().objects.filter(pk=user_id, is_active=True).first()


async def test_a_backend_of_ones_own(clock: trio.testing.MockClock, user: Any, key: str) -> None:
    """
    Any backend is asked for its users by its own get_user().
    """
    named = f"{__name__}.KeyBackend"
    sys.modules.setdefault(__name__, sys.modules[KeyBackend.__module__])
    with override_settings(AUTHENTICATION_BACKENDS=[named]):
        async with served(Who) as server:
            own_key = await in_db(log_in, user, named)
            async with server.websocket("/who/", headers=cookie(own_key)) as ws:
                ws.send_text("?")
                assert await ws.receive_text() == "ada"
                await trio.sleep(31)
                ws.send_text("?")
                assert await ws.receive_text() == "ada"
                await in_db(deactivate, user, own_key)
                assert (await ws.closed(timeout=60)).code == 4401


async def test_who_has_come_by_a_token(clock: trio.testing.MockClock, user: Any) -> None:
    """
    Who has come in by a token is looked at as well, and found by disconnect_user.
    """

    def authenticate(token: str, scope: Any) -> Any:
        return get_user_model().objects.get(username=token)

    app = TokenAuthentication(Who, authenticate)
    headers = [("authorization", "Bearer ada")]
    async with serve(Greenroom(websocket=app)) as server:
        async with server.websocket("/", headers=headers) as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "ada"
            assert await adisconnect_user(user) == 1
            assert (await ws.closed()).code == 4401
        async with server.websocket("/", headers=headers) as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "ada"
            await in_db(deactivate, user, "")
            closed = await ws.closed(timeout=60)
            assert (closed.code, closed.reason) == (4401, "the user may not log in any more")


def test_nothing_is_left_behind(key: str) -> None:
    """
    What a connection leaves behind is gone with its scope, without the garbage collector's help.
    """

    class NoBook:
        def news(self, identity: Any) -> None: ...

    scope: Any = {"headers": [(b"cookie", cookie(key)[0][1].encode())]}
    Identity.put_into(scope, cast("Any", NoBook()))
    assert str(scope["user"]) == "ada"
    scope["session"]["x"] = 1
    assert scope["cookies"]
    left = weakref.ref(scope[IDENTITY])
    gc.disable()
    try:
        del scope
        assert left() is None
    finally:
        gc.enable()
