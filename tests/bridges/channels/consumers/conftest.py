# A Django project inside the test process, with a channel layer in memory. Configured when this
# file is imported, unless the tests of bridges/django have done so: the modules beside it import
# what reads settings. Stock Channels is never imported here.

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio
from channels_support import Run
from django.conf import settings

FOLDER = Path(tempfile.mkdtemp(prefix="greenroom-channels-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "greenroom.bridges.django",
        ],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}
        },
        LOGGING_CONFIG=None,
    )

import_module("greenroom.bridges.django")  # sets Django up

from django.test import override_settings  # noqa: E402
from trio.testing import MockClock  # noqa: E402

from greenroom.bridges.testing import virtual_clock  # noqa: E402

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture(autouse=True)
def layers() -> Iterator[None]:
    """
    A channel layer of its own for each test.
    """
    with override_settings(CHANNEL_LAYERS=IN_MEMORY):
        yield


@pytest.fixture
def clock() -> MockClock:
    """
    A clock that jumps when all tasks wait, and no thread works.
    """
    return virtual_clock()


def _on_trio(function: Callable[[], Awaitable[None]]) -> None:
    trio.run(function)


def _on_asyncio(function: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await function()

    asyncio.run(main())


@pytest.fixture(params=[_on_trio, _on_asyncio], ids=["trio", "asyncio"])
def run(request: Any) -> Run:
    """
    Runs an async function as a test on trio would run, and one on asyncio.
    """
    return request.param


@pytest.fixture(scope="session")
def tables(django_db_blocker: Any) -> Iterator[None]:
    """
    Tables in the SQLite file, and pytest-django's leave to use it.
    """
    from django.core.management import call_command
    from django.db import connections

    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield
        connections.close_all()
