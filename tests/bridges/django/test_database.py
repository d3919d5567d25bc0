# Database connections of worker threads, with a real SQLite file.

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import trio
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django_connections import Opened, pool_of, query

from greenroom.actors import Actor, ThreadPool, current_job, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.django import django_application
from greenroom.bridges.django._database import database_hooks
from greenroom.bridges.django._sharing import initialized_connections
from greenroom.bridges.testing import serve

pytestmark = pytest.mark.usefixtures("database")


async def test_a_burst_of_messages_uses_one_connection(opened: Opened) -> None:
    """
    With CONN_MAX_AGE 0 a thread keeps its connection while it is busy.
    """
    async with pool_of(1) as pool:
        for _ in range(20):
            await pool.run(query, label="a message")
        assert (len(opened.all), opened.now) == (1, 1)


async def test_an_idle_thread_closes_its_connection(opened: Opened) -> None:
    """
    With CONN_MAX_AGE 0 a thread that has had nothing to do for a moment closes it.
    """
    idle = threading.Event()
    async with pool_of(1, idle) as pool:
        await pool.run(query, label="a message")
        assert await trio.to_thread.run_sync(idle.wait, 10)
        assert opened.now == 0

        await pool.run(query, label="another")
        assert len(opened.all) == 2


async def test_conn_max_age_keeps_an_idle_connection(
    opened: Opened, max_age: Callable[[int | None], None]
) -> None:
    """
    With CONN_MAX_AGE 60 idleness closes nothing; the end of the pool does.
    """
    max_age(60)
    idle = threading.Event()
    async with pool_of(1, idle) as pool:
        await pool.run(query, label="a message")
        assert await trio.to_thread.run_sync(idle.wait, 10)
        assert opened.now == 1


async def test_connections_of_parked_jobs_are_bounded(opened: Opened) -> None:
    """
    With jobs that park there are never more connections than size + spare, closing ones included.
    """
    hooks, leave, most = database_hooks(), threading.Event(), 0

    def on_exit() -> None:
        assert leave.wait(20)
        hooks.on_exit()

    def work() -> None:
        nonlocal most
        query()
        most = max(most, opened.now)
        job = current_job()
        assert job is not None
        with job.parked():
            time.sleep(0.001)

    pool = ThreadPool(
        "tested", 2, spare=1, hooks=replace(hooks, on_exit=on_exit), idle_seconds=0.001
    )

    async def client() -> None:
        for _ in range(10):
            await pool.run(work, label="parks")

    try:
        for _ in range(5):
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(client)
            await trio.sleep(0.01)  # those that are too many leave, and come to their hook
    finally:
        leave.set()
        await pool.aclose(timeout=20)
    assert 2 <= most <= 3


async def test_an_idle_connection_is_closed_when_it_is_old(
    opened: Opened, max_age: Callable[[int | None], None]
) -> None:
    """
    A thread that nobody needs closes its connection at its CONN_MAX_AGE, not at its next job.
    """
    max_age(60)
    hooks = database_hooks()

    def ages() -> tuple[object, object, int]:
        query()
        young = hooks.on_idle()
        connection.close_at = 0.0
        return young, hooks.on_idle(), opened.now

    async with pool_of(1) as pool:
        young, old, left = await pool.run(ages, label="ages")

    assert isinstance(young, float)
    assert young <= 60
    assert (old, left) == (None, 0)


async def test_a_connection_past_its_age_is_replaced(
    opened: Opened, max_age: Callable[[int | None], None]
) -> None:
    """
    A job finds an old connection closed, and opens a new one.
    """
    max_age(60)

    def make_old() -> None:
        query()
        connection.close_at = 0.0

    async with pool_of(1) as pool:
        await pool.run(make_old, label="old")
        await pool.run(query, label="new")

    assert len(opened.all) == 2


async def test_a_broken_connection_is_closed_after_the_job(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A job that fails and leaves an unusable connection leaves no connection.
    """

    def break_it() -> None:
        query()
        connection.errors_occurred = True
        monkeypatch.setattr(connections["default"], "is_usable", lambda: False)
        raise LookupError

    async with pool_of(1) as pool:
        with pytest.raises(LookupError):
            await pool.run(break_it, label="broken")
        assert opened.now == 0


async def test_a_pooled_connection_is_returned_after_each_job(opened: Opened) -> None:
    """
    With a connection pool of Django's a thread holds a connection only during a job.
    """

    def pretend() -> None:
        query()
        connection.settings_dict["OPTIONS"]["pool"] = True

    async with pool_of(1) as pool:
        await pool.run(pretend, label="pooled")
        try:
            assert opened.now == 0
        finally:
            connections.settings["default"]["OPTIONS"].pop("pool", None)


def users(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(query()))


@pytest.fixture
def urls() -> Iterator[None]:
    """
    One route, to a view that counts the users.
    """
    module = ModuleType("django_database_urls")
    module.urlpatterns = [path("users/", users)]  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    with override_settings(ROOT_URLCONF=module.__name__):
        yield
    del sys.modules[module.__name__]


@pytest.mark.usefixtures("urls")
async def test_requests_leak_no_connection(opened: Opened, running: Any, request_to: Any) -> None:
    """
    After many requests, at once and in turn, each connection is closed.
    """
    app = django_application()
    got: list[Any] = []

    async def one() -> None:
        got.append(await request_to(app, "/users/").run())

    async with running(app, view_threads=4):
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(one)
        assert opened.now == 0  # as Django does at the end of a request with CONN_MAX_AGE 0

    assert {each.body for each in got} == {b"0"}
    assert len(got) == 40


@pytest.mark.usefixtures("urls")
async def test_persistent_connections_of_views_end_with_the_pool(
    opened: Opened, running: Any, request_to: Any, max_age: Callable[[int | None], None]
) -> None:
    """
    With CONN_MAX_AGE 60 there is one connection a thread, and none after the shutdown.
    """
    max_age(60)
    app = django_application()
    async with running(app, view_threads=2):
        for _ in range(10):
            await request_to(app, "/users/").run()
        assert 1 <= opened.now <= 2


async def test_an_inline_handler_sees_the_transaction_of_its_test(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Handlers that run inline share their test's connection and its open transaction.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the test's own queries

    class Signup(Actor):
        @handles("save")
        def on_save(self, message: dict[str, str]) -> int:
            User.objects.create(username=message["name"])
            return User.objects.count()

    before = User.objects.count()
    application = Application(children=[Signup], thread_hooks=database_hooks())
    with transaction.atomic():
        User.objects.create(username="by the test")
        async with serve(application, threads="inline") as server:
            ref = server.root.find("/residents/signup")
            assert await ref.call({"type": "save", "name": "by the handler"}) == before + 2
        transaction.set_rollback(True)
    assert User.objects.count() == before
    connection.close()


async def test_a_threads_connections_are_those_that_django_lists() -> None:
    """
    The short way to a thread's connections finds what Django's own finds, with asgiref as it is.
    """

    def compare(use: bool) -> tuple[list[object], list[object]]:
        if use:
            User.objects.count()
        return list(initialized_connections()), list(connections.all(initialized_only=True))

    storage: Any = connections._connections
    assert isinstance(storage._storage, threading.local), "it takes the long way"
    pool = ThreadPool("compare", 1, hooks=database_hooks())
    none = await pool.run(lambda: compare(False), label="none")
    one = await pool.run(lambda: compare(True), label="one")
    await pool.aclose(timeout=5)

    assert none == ([], [])
    assert one[0] == one[1]
    assert len(one[0]) == 1
