# database_sync_to_async: where it runs, and what it does about connections.

import asyncio
import threading
from typing import Any

import pytest
import trio
from django.db import connection

from greenroom.bridges.channels import db
from greenroom.bridges.testing import share_connections


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """
    The threads in which old connections were closed, one entry a time.
    """
    threads: list[str] = []
    monkeypatch.setattr(
        db, "close_old_connections", lambda: threads.append(threading.current_thread().name)
    )
    return threads


@db.database_sync_to_async
def where() -> str:
    return threading.current_thread().name


class Holder:
    @db.database_sync_to_async
    def itself(self, *args: Any, **kwargs: Any) -> Any:
        return self, args, kwargs


async def test_in_a_thread(closed: list[str]) -> None:
    """
    It runs in a worker thread, between two looks at that thread's connections.
    """
    thread = await where()
    assert thread != threading.current_thread().name
    assert closed == [thread, thread]


async def test_also_when_it_raises(closed: list[str]) -> None:
    """
    What it raises comes out as it is, and the connections are looked at all the same.
    """

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.database_sync_to_async(fails)()
    assert len(closed) == 2


async def test_a_method() -> None:
    """
    As a decorator of a method it gets the instance, and all arguments.
    """
    holder = Holder()
    assert await holder.itself(1, two=2) == (holder, (1,), {"two": 2})


async def test_options() -> None:
    """
    The options of sync_to_async are taken.
    """
    thread = await db.database_sync_to_async(threading.current_thread, thread_sensitive=False)()
    assert thread is not threading.current_thread()
    with pytest.raises(TypeError):
        db.database_sync_to_async("no function")


async def test_aclose_old_connections(closed: list[str]) -> None:
    """
    The coroutine does the same by itself.
    """
    await db.aclose_old_connections()
    assert len(closed) == 1


def test_on_asyncio(closed: list[str]) -> None:
    """
    On asyncio it works as in Channels.
    """
    thread = asyncio.run(where())
    assert closed == [thread, thread]


async def test_cancelled() -> None:
    """
    A cancellation comes out once the thread has ended.
    """
    begun, go_on = threading.Event(), threading.Event()

    def waits() -> None:
        begun.set()
        go_on.wait(30)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.database_sync_to_async(waits))
        await trio.to_thread.run_sync(begun.wait, 30)
        nursery.cancel_scope.cancel()
        go_on.set()


async def test_a_transaction_is_left_alone(rolled_back: None) -> None:
    """
    A connection inside a transaction stays open, as that which a test has lent.
    """
    inside = db.database_sync_to_async(lambda: id(connection.connection))
    with share_connections():
        assert await inside() == await inside()
        assert connection.connection is not None
