# get_user, login, logout and the middleware of Channels' auth, on trio.

from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY, user_logged_in, user_logged_out
from django.test import override_settings
from django_sessions import MODEL_BACKEND, cookie, in_db, log_in, make_user, store

from greenroom.bridges.channels.auth import (
    AuthMiddleware,
    AuthMiddlewareStack,
    UserLazyObject,
    get_user,
    login,
    logout,
)
from greenroom.bridges.testing import share_connections

pytestmark = pytest.mark.usefixtures("rolled_back")


@pytest.fixture(autouse=True)
def _shared(rolled_back: None) -> Any:
    with share_connections():
        yield


async def nothing(*_: Any) -> Any:
    raise AssertionError("nobody should ask")


async def test_get_user(user: Any, key: str) -> None:
    """
    The user of a session is found; without a login it is an AnonymousUser.
    """
    assert await get_user({"session": store(key)}) == user
    assert (await get_user({"session": store()})).is_anonymous


@pytest.mark.parametrize("function", [get_user, login, logout])
async def test_without_a_session(function: Any) -> None:
    """
    Each needs a session, and its error is Channels' own.
    """
    args = [{}] if function is not login else [{}, object()]
    with pytest.raises(ValueError, match=r"annot find session in scope\. You should wrap") as info:
        await function(*args)
    assert ("consumer in SessionMiddleware." in str(info.value)) is True


async def test_login_and_logout(user: Any) -> None:
    """
    A login fills session and scope and sends its signal without a request; a log-out undoes it.
    """
    told: list[tuple[str, Any]] = []

    def entered(user: Any, request: Any, **_: Any) -> None:
        told.append((f"in {user}", request))

    def left(user: Any, request: Any, **_: Any) -> None:
        told.append((f"out {user}", request))

    user_logged_in.connect(entered)
    user_logged_out.connect(left)
    scope: dict[str, Any] = {"session": store(), "user": None}
    await login(scope, user, backend=MODEL_BACKEND)
    assert scope["user"] == user
    assert scope["session"][SESSION_KEY] == str(user.pk)
    assert await get_user(scope) == user
    await logout(scope)
    assert scope["user"].is_anonymous
    assert SESSION_KEY not in scope["session"]
    await logout(scope)  # of nobody: no signal
    user_logged_in.disconnect(entered)
    user_logged_out.disconnect(left)
    assert told == [("in ada", None), ("out ada", None)]


async def test_the_key_is_cycled(user: Any) -> None:
    """
    A login changes the session's key and keeps its data; another user's session is flushed.
    """
    session = store()
    session["cart"] = "tea"
    await in_db(session.save)
    old = session.session_key
    scope = {"session": session}
    await login(scope, user, backend=MODEL_BACKEND)
    assert session.session_key not in (None, old)
    assert session["cart"] == "tea"
    assert not await in_db(store().exists, old)
    await login(scope, await in_db(make_user, "bob"), backend=MODEL_BACKEND)
    assert "cart" not in session


async def test_login_of_the_scopes_user(user: Any) -> None:
    """
    None stands for the user in the scope; without one it is an error.
    """
    scope = {"session": store(), "user": user}
    await login(scope, None)
    assert scope["session"][SESSION_KEY] == str(user.pk)
    with pytest.raises(ValueError, match="User must be passed as an argument or must be present"):
        await login({"session": store()}, None)


async def test_several_backends(user: Any) -> None:
    """
    With several backends one must be named.
    """
    other = "django.contrib.auth.backends.AllowAllUsersModelBackend"
    with override_settings(AUTHENTICATION_BACKENDS=[MODEL_BACKEND, other]):
        with pytest.raises(ValueError, match="You have multiple authentication backends"):
            await login({"session": store()}, user)
        user.backend = other
        scope: dict[str, Any] = {"session": store()}
        await login(scope, user)
    assert scope["session"]["_auth_user_backend"] == other


async def test_a_backend_that_is_not_listed(key: str) -> None:
    """
    A session of a backend that is no longer in the settings is nobody's.
    """
    with override_settings(AUTHENTICATION_BACKENDS=["x.Y"]):
        assert (await get_user({"session": store(key)})).is_anonymous


async def test_fallback_keys(user: Any, key: str) -> None:
    """
    A session that a key of SECRET_KEY_FALLBACKS has signed is upgraded, where Channels flushes.
    """
    with override_settings(SECRET_KEY="the next one", SECRET_KEY_FALLBACKS=["only for tests"]):
        assert await get_user({"session": store(key)}) == user


async def test_a_wrong_hash(user: Any, key: str) -> None:
    """
    A session of before the password was changed is flushed.
    """
    user.password = "!another"
    await in_db(user.save)
    session = store(key)
    assert (await get_user({"session": session})).is_anonymous
    assert session.session_key is None


async def test_the_middleware(user: Any, key: str) -> None:
    """
    The user is resolved before the inner application is called, and the outer scope is left alone.
    """
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> str:
        seen.append(scope["user"])
        return "done"

    headers = [(name.encode(), value.encode()) for name, value in cookie(key)]
    outer = {"type": "websocket", "headers": headers}
    assert await AuthMiddlewareStack(inner)(outer, nothing, nothing) == "done"
    assert seen == [user]
    assert isinstance(seen[0], UserLazyObject)
    assert set(outer) == {"type", "headers"}


async def test_the_middleware_needs_a_session() -> None:
    """
    AuthMiddleware says what has to stand around it.
    """
    with pytest.raises(ValueError, match="SessionMiddleware must be above it"):
        await AuthMiddleware(nothing)({"type": "websocket"}, nothing, nothing)


async def test_a_middleware_of_ones_own(user: Any, key: str) -> None:
    """
    `populate_scope` and `resolve_scope` can be overridden, as people do.
    """

    class Mine(AuthMiddleware):
        async def resolve_scope(self, scope: Any) -> None:
            scope["user"]._wrapped = "me"

    async def inner(scope: Any, receive: Any, send: Any) -> str:
        return str(scope["user"])

    assert await Mine(inner)({"session": store(key)}, nothing, nothing) == "me"


def test_too_early() -> None:
    """
    A user that is not resolved yet says so.
    """
    with pytest.raises(ValueError, match="Accessing scope user before it is ready."):
        _ = UserLazyObject().username


async def test_greenroom_is_told(user: Any, key: str) -> None:
    """
    Whose a connection is by Channels' stack is known: it is found, and looked at now and then.
    """
    from greenroom.actors import WebsocketConsumer
    from greenroom.bridges.django import Greenroom, aconnections_of
    from greenroom.bridges.testing import serve

    class Asleep(WebsocketConsumer):
        async def receive(self, text):
            await logout(self.scope)
            await self.send(text="out")

    application = Greenroom(websocket=AuthMiddlewareStack(Asleep.as_asgi()), close_seconds=0)
    async with serve(application) as server:
        async with (
            server.websocket("/", headers=cookie(key)) as ws,
            server.websocket("/", headers=cookie(key)) as other,
        ):
            assert ws.slot.facts["user"] == str(user.pk)
            assert len(await aconnections_of(user)) == 2
            ws.send_text("out")
            assert await ws.receive_text() == "out"
            assert (await other.closed()).code == 4401
            assert "user" not in ws.slot.facts


async def test_inside_greenroom(user: Any, key: str) -> None:
    """
    Around a consumer of ours the stack works as well, and the consumer's login is seen in it.
    """
    from django.urls import path

    from greenroom.actors import WebsocketConsumer
    from greenroom.bridges.django import Greenroom
    from greenroom.bridges.testing import serve

    class Who(WebsocketConsumer):
        async def receive(self, text):
            if text == "out":
                await self.logout()
            await self.send(text=f"{self.user} {self.scope['user']}")

    routes = [path("who/", AuthMiddlewareStack(Who.as_asgi()))]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        async with server.websocket("/who/", headers=cookie(await in_db(log_in, user))) as ws:
            ws.send_text("?")
            assert await ws.receive_text() == "ada ada"
            ws.send_text("out")
            assert await ws.receive_text() == "AnonymousUser AnonymousUser"
