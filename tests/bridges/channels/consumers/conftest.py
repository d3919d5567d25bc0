# A channel layer in memory for each test. Django is set up when this file is imported: the modules
# beside it import what reads settings. Stock Channels is never imported here.

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
from channels_support import Run
from django_inside import configure

configure()

from django.test import override_settings  # noqa: E402
from django_fixtures import database, rolled_back  # noqa: E402, F401 # pyright: ignore[reportUnusedImport]
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
