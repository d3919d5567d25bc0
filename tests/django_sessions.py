# Users and sessions for tests in this process, and consumers below a Greenroom() with them.

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import ServerDriver, serve

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def store(key: str | None = None) -> Any:
    """Return Django's own session with *key*, or a new one."""
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def make_user(name: str = "ada", **extra: Any) -> Any:
    """Return a new user."""
    return get_user_model().objects.create_user(name, **extra)


def log_in(user: Any, backend: str = MODEL_BACKEND) -> str:
    """Log *user* in as a page does; return the session's key."""
    request = HttpRequest()
    request.session = store()
    login(request, user, backend=backend)
    request.session.save()
    key = request.session.session_key
    assert key is not None
    return key


def cookie(key: str) -> list[tuple[str, str]]:
    """Return the header by which a browser sends *key*."""
    return [("cookie", f"{settings.SESSION_COOKIE_NAME}={key}")]


async def in_db(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call *function* in a thread that shares the test's transaction; inside of `served` only."""
    return await sync_to_async(function)(*args, **kwargs)


@asynccontextmanager
async def served(
    *consumers: type[WebsocketConsumer], **options: Any
) -> AsyncGenerator[ServerDriver]:
    """Serve each of *consumers* at its name, in lower letters."""
    routes = [path(f"{each.__name__.lower()}/", each) for each in consumers]
    options = {"close_seconds": 0, **options}
    async with serve(Greenroom(websocket=routes, **options)) as server:
        yield server
