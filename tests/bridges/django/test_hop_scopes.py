# What a consumer's handler sees of the database from one hop to the next.

import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.contrib.auth.models import User
from django.core.management import BaseCommand, call_command
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from trio.testing import MockClock

from greenroom.actors import Actor, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.asgiref import current_hops
from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.supervisor import ChildSpec


@pytest.fixture
def clock() -> MockClock:
    """
    A clock that jumps.
    """
    return MockClock(autojump_threshold=0)


pytestmark = pytest.mark.usefixtures("no_users")


@pytest.fixture
def no_users(database: None) -> Iterator[None]:
    """
    No user is there, nor left behind.
    """
    User.objects.all().delete()
    connection.close()
    yield
    User.objects.all().delete()
    connection.close()


@asynccontextmanager
async def atomic() -> AsyncGenerator[None, None]:
    """What people write: Django's block, entered in one hop and left in another."""
    block = transaction.atomic()
    await sync_to_async(block.__enter__)()
    try:
        yield
    except BaseException as error:  # noqa: ASYNC103
        await sync_to_async(block.__exit__)(type(error), error, error.__traceback__)
        raise
    else:
        await sync_to_async(block.__exit__)(None, None, None)


class Clerk(Actor):
    restart = "permanent"

    @handles("save")
    async def on_save(self, message: dict[str, Any]) -> bool:
        async with atomic():
            await User.objects.acreate(username="saved")
            message["saved"].set()
            await message["go_on"].wait()
            return await User.objects.filter(username="saved").aexists()

    @handles("look")
    async def on_look(self, message: dict[str, Any]) -> bool:
        return await User.objects.filter(username="saved").aexists()

    @handles("forget")
    async def on_forget(self, message: dict[str, Any]) -> None:
        await sync_to_async(transaction.atomic().__enter__)()
        await User.objects.acreate(username="saved")

    @handles("inside")
    async def on_inside(self, message: dict[str, Any]) -> bool:
        return await sync_to_async(lambda: connection.in_atomic_block)()


@pytest.fixture
async def server() -> AsyncIterator[ServerDriver]:
    children = [ChildSpec(actor=Clerk, name=name) for name in "ab"]
    async with serve(Application(children=children)) as server:
        yield server


async def test_a_transaction_is_the_handlers_own(server: ServerDriver) -> None:
    """
    What one hop of a handler has saved its next hop sees; another actor only once it is over.
    """
    one, other = (server.root.find(f"/residents/{name}") for name in "ab")
    saved, go_on, seen = trio.Event(), trio.Event(), list[bool]()

    async def save() -> None:
        seen.append(await one.call({"type": "save", "saved": saved, "go_on": go_on}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(save)
        await saved.wait()
        assert not await other.call({"type": "look"})
        go_on.set()
    assert seen == [True]
    assert await other.call({"type": "look"})


async def test_a_transaction_ends_with_its_handler(
    server: ServerDriver, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One that a handler leaves open is rolled back, with the actor's name in the log.
    """
    ref = server.root.find("/residents/a")
    with caplog.at_level(logging.ERROR, "greenroom.django"):
        await ref.call({"type": "forget"})
        await nothing_runs()
    assert "/residents/a Atomic.__enter__ ended inside a transaction" in caplog.text
    assert not await ref.call({"type": "inside"})
    assert not await ref.call({"type": "look"})


async def test_a_query_is_read_in_one_thread() -> None:
    """
    Between two chunks of `async for` the thread is kept with its cursor, and given back at the end.
    """
    await User.objects.abulk_create(User(username=f"user {number}") for number in range(5))
    running = list[int]()
    async for user in User.objects.order_by("username").aiterator(chunk_size=2):
        statistics = current_hops().pool.statistics()
        running.append(statistics.running + statistics.parked)
        await User.objects.filter(pk=user.pk).aupdate(first_name="seen")
    await nothing_runs()
    assert running[:4] == [1, 1, 1, 1]
    assert await User.objects.filter(first_name="seen").acount() == 5


async def test_inline(clock: MockClock) -> None:
    """
    Where a test has all in one thread, an async handler's queries run there, and in no time.
    """
    children = [ChildSpec(actor=Clerk, name="a")]
    async with serve(Greenroom(children=children), threads="inline") as server:
        ref = server.root.find("/residents/a")
        with trio.fail_after(0.001):
            assert not await ref.call({"type": "look"})
            await User.objects.acreate(username="saved")
            assert await ref.call({"type": "look"})
            assert [user.username async for user in User.objects.all()] == ["saved"]
            async with ThreadSensitiveContext():
                assert await sync_to_async(threading.get_ident)() == threading.get_ident()


class Count(BaseCommand):
    """A command that has an event loop of its own."""

    def handle(self, *args: Any, **options: Any) -> str:
        return str(trio.run(self._count))

    async def _count(self) -> int:
        await User.objects.acreate(username="saved")
        return len([user async for user in User.objects.all()])


def test_a_command_that_runs_trio() -> None:
    """
    trio.run() in a management command may use the async ORM; its threads and connections end.
    """
    opened = list[Any]()

    def note(*, connection: Any, **_: Any) -> None:
        opened.append(connection)

    connection_created.connect(note)
    assert call_command(Count()) == "1"
    assert opened
    assert [each for each in opened if each.connection is not None] == []
    for each in threading.enumerate():  # one that has told of its end may be on its way out
        if each.name.startswith("orm-"):
            each.join(20)
    assert not [each for each in threading.enumerate() if each.name.startswith("orm-")]


async def test_a_command_that_a_handler_calls(server: ServerDriver) -> None:
    """
    So may a command that is called in a worker thread.
    """
    assert await sync_to_async(call_command)(Count()) == "1"


async def nothing_runs() -> None:
    with trio.fail_after(20):
        while (now := current_hops().pool.statistics()).running or now.parked:
            await trio.lowlevel.checkpoint()
