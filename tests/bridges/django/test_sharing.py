# Tests that see each other's data across threads: a test's transaction is lent to the workers.

import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import trio
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path as view
from trio.testing import MockClock

from greenroom.actors import Actor, WebsocketConsumer, current_job, handles
from greenroom.bridges.django import Greenroom, django_application, on_trio, path
from greenroom.bridges.django._sharing import current_sharing
from greenroom.bridges.testing import serve, share_connections, virtual_clock
from greenroom.supervisor import ChildSpec, current_root

pytestmark = pytest.mark.usefixtures("database", "urls")

LONG = 20.0


class Clerk(Actor):
    @handles("count")
    def on_count(self, message: dict[str, str]) -> int:
        return User.objects.count()


class Turns(Actor):
    """Two of them: one waits for the other to be inside its own block."""

    @handles("first")
    def on_first(self, message: dict[str, Any]) -> None:
        job = current_job()
        assert job is not None
        with transaction.atomic():
            with job.parked():
                message["second"].cast({**message, "type": "second"})
                message["inside"].wait(LONG)
            message["order"].append("first")
            message["outside"].set()

    @handles("second")
    def on_second(self, message: dict[str, Any]) -> None:
        with transaction.atomic():
            message["inside"].set()
            message["outside"].wait(0.05)  # the first would come out in no time, if it could
            message["order"].append("second")


class Signup(WebsocketConsumer):
    def receive(self, text: str) -> None:
        with transaction.atomic():
            User.objects.create(username=text)
        self.send(text=f"{User.objects.count()} {threading.current_thread().name[:9]}")


class AsyncSignup(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        await User.objects.acreate(username=text)
        await self.send(text=str(await User.objects.acount()))


def count(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(User.objects.count()))


@on_trio
async def acount(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await User.objects.acount()))


def asks(_request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        User.objects.create(username="by the view that asks")
        clerk = current_root().find("/residents/clerk")
        return HttpResponse(str(clerk.call_blocking({"type": "count"}, timeout=30)))


@pytest.fixture
def urls() -> Iterator[None]:
    """
    A sync view, an async one, and one that has a `def` handler count.
    """
    module = ModuleType("django_sharing_urls")
    module.urlpatterns = [  # type: ignore[attr-defined]
        view("count/", count),
        view("acount/", acount),
        view("asks/", asks),
    ]
    sys.modules[module.__name__] = module
    with override_settings(ROOT_URLCONF=module.__name__):
        yield
    del sys.modules[module.__name__]


def application() -> Greenroom:
    return Greenroom(
        http=django_application(),
        websocket=[path("sync/", Signup), path("async/", AsyncSignup)],
        children=[Clerk],
    )


async def everybody_sees(before: int) -> None:
    """Have a view, an async view, handlers and async ORM work write and count, in turn."""
    async with serve(application()) as server:
        assert (await server.http("GET", "/count/")).body == b"%d" % before
        async with server.websocket("/sync/") as socket:
            socket.send_text("by a handler")
            assert await socket.receive_text() == f"{before + 1} consumers"
        async with server.websocket("/async/") as socket:
            socket.send_text("by an async handler")
            assert await socket.receive_text() == str(before + 2)
        await User.objects.acreate(username="by the async test")
        assert (await server.http("GET", "/acount/")).body == b"%d" % (before + 3)
        assert (await server.http("GET", "/asks/")).body == b"%d" % (before + 4)


@pytest.fixture
def in_transaction() -> Iterator[int]:
    """
    What pytest-django's `db` does around a test, with one user made in it.
    """
    nobody = User.objects.count()
    with transaction.atomic():
        User.objects.create(username="by the test")
        yield nobody + 1
        transaction.set_rollback(True)
    assert current_sharing() is None
    assert User.objects.count() == nobody
    connection.close()


async def test_everybody_sees_the_transaction_of_an_async_test(in_transaction: int) -> None:
    """
    What a test wrote is seen by views, handlers and async ORM work, and all of it is rolled back.
    """
    await everybody_sees(in_transaction)


async def test_async_work_outside_of_an_application(in_transaction: int) -> None:
    """
    In a block of share_connections() the async ORM has the test's transaction, too.
    """
    with share_connections():
        await User.objects.acreate(username="async")
        assert await User.objects.acount() == in_transaction + 1


@pytest.fixture
def clock() -> MockClock:
    """
    A clock that jumps, but not while a thread works.
    """
    return virtual_clock()


async def test_an_hour_passes(in_transaction: int, clock: MockClock) -> None:
    """
    A handler that comes an hour later sees the test's transaction.
    """
    async with serve(application()) as server, server.websocket("/sync/") as socket:
        await trio.sleep(3600)
        socket.send_text("an hour later")
        assert await socket.receive_text() == f"{in_transaction + 1} consumers"


async def test_without_a_transaction_nothing_is_shared() -> None:
    """
    Behind `transaction=True` each thread has a connection of its own.
    """
    async with serve(application()):
        assert current_sharing() is None


async def test_many_jobs_at_once_take_turns(in_transaction: int) -> None:
    """
    Transactions of different threads never get into each other's savepoints.
    """
    async with serve(application()) as server:

        async def sign_up(number: int) -> None:
            async with server.websocket("/sync/", timeout=60) as socket:
                socket.send_text(f"user {number}")
                await socket.receive_text(timeout=60)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(sign_up, number)
        assert await User.objects.acount() == in_transaction + 20


async def test_a_job_that_has_waited_takes_its_turn_again(in_transaction: int) -> None:
    """
    It does not come out of its block in the midst of that of a job which was let in meanwhile.
    """
    order = list[str]()
    message: dict[str, Any] = {"inside": threading.Event(), "outside": threading.Event()}
    names = ("first", "second")
    children = [ChildSpec(actor=Turns, name=name) for name in names]
    async with serve(Greenroom(http=django_application(), children=children)) as server:
        first, second = (server.root.find(f"/residents/{name}") for name in names)
        await first.call({**message, "type": "first", "order": order, "second": second})
        assert order == ["second", "first"]
