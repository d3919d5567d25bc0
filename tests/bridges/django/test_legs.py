# From a worker thread to the asyncio loop and back, without trio's loop in between.

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import trio
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from helpers import settle

from greenroom.actors import PoolClosed
from greenroom.bridges.django import DjangoApplication, Greenroom, django_application, on_asyncio

EVENTS: dict[str, threading.Event] = {}
LOG: list[str] = []
SEEN: list[weakref.ref[HttpRequest]] = []


class Gate(MiddlewareMixin):
    """Before the view it waits for "go", behind it it says "through"."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path == "/view/":
            EVENTS["before"].set()
            assert EVENTS["go"].wait(10)

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        LOG.append("behind")
        EVENTS["through"].set()
        return response


@on_asyncio
async def view(request: HttpRequest) -> HttpResponse:
    SEEN.append(weakref.ref(request))
    EVENTS["view"].set()
    return HttpResponse(threading.current_thread().name)


@on_asyncio
async def holding(_request: HttpRequest) -> HttpResponse:
    """Hold the asyncio loop, as nobody should, so that a test knows where the request is."""
    EVENTS["view"].set()
    assert EVENTS["go"].wait(10)
    return HttpResponse("held")


@on_asyncio
async def refusing(_request: HttpRequest) -> HttpResponse:
    """Raise an error when it is cancelled."""
    EVENTS["view"].set()
    try:
        await asyncio.Event().wait()
    finally:
        raise LookupError("while it ends")


def blocked(_request: HttpRequest) -> HttpResponse:
    EVENTS["blocked"].set()
    assert EVENTS["leave"].wait(10)
    return HttpResponse("left")


URLS: Any = ModuleType("django_legs_urls")
URLS.urlpatterns = [
    path("view/", view),
    path("holding/", holding),
    path("refusing/", refusing),
    path("blocked/", blocked),
]


@pytest.fixture(autouse=True)
def urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    The views and the middleware of this file.
    """
    monkeypatch.setitem(sys.modules, "django_legs_urls", URLS)
    LOG.clear()
    SEEN.clear()
    names = ("before", "go", "view", "through", "blocked", "leave")
    EVENTS.update({name: threading.Event() for name in names})
    with override_settings(ROOT_URLCONF="django_legs_urls", MIDDLEWARE=[f"{__name__}.Gate"]):
        yield
    EVENTS["go"].set()
    EVENTS["leave"].set()


@pytest.fixture
def app() -> DjangoApplication:
    """
    A fresh application.
    """
    return django_application()


async def in_thread(name: str) -> None:
    assert await trio.to_thread.run_sync(EVENTS[name].wait, 10)


async def test_the_way_does_not_lead_over_trio(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    While trio's loop stands still a request gets through its view and back up its middleware.
    """
    async with running(app), trio.open_nursery() as nursery:
        request = request_to(app, "/view/")
        nursery.start_soon(request.run)
        await in_thread("before")
        EVENTS["go"].set()
        assert EVENTS["through"].wait(10)  # this is trio's thread: nothing else goes on in it

    assert request.got.body == b"greenroom-asyncio"


async def test_nothing_of_a_request_stays(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    What an async view was called with is gone when its request is over, not when garbage is
    collected.
    """
    EVENTS["go"].set()
    gc.disable()
    try:
        async with running(app):
            got = await request_to(app, "/view/").run()
    finally:
        gc.enable()

    assert got.status == 200
    assert [seen() for seen in SEEN] == [None]


async def test_nothing_of_a_request_stays_in_the_tree(request_to: Any) -> None:
    """
    The place of a request in the tree does not keep what was asked and answered.
    """
    to_app, messages = trio.open_memory_channel[Any](2)
    from_app, replies = trio.open_memory_channel[Any](2)
    app, state = Greenroom(http=django_application()), dict[str, Any]()
    EVENTS["go"].set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            app, {"type": "lifespan", "state": state}, messages.receive, from_app.send
        )
        await to_app.send({"type": "lifespan.startup"})
        assert (await replies.receive())["type"] == "lifespan.startup.complete"
        gc.disable()
        try:
            got = await request_to(app, "/view/", state=state).run()
            # The threads that have had it may not have let go yet, of what they are through with.
            await settle(lambda: [each() for each in SEEN] == [None])
            seen = [each() for each in SEEN]
        finally:
            gc.enable()
            await to_app.send({"type": "lifespan.shutdown"})

    assert (got.status, seen) == (200, [None])


async def test_a_client_that_leaves_the_second_queue(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A client that leaves while its request waits for a thread behind the view ends it there.
    """
    async with running(app, view_threads=1), trio.open_nursery() as nursery:
        request, other = request_to(app, "/holding/"), request_to(app, "/blocked/")
        nursery.start_soon(request.run)
        await in_thread("view")
        nursery.start_soon(other.run)
        await in_thread("blocked")
        EVENTS["go"].set()
        while app.pool.statistics().queued == 0:
            await trio.lowlevel.checkpoint()
        request.gone.set()
        while len(app.life().exchanges) == 2:  # until the lookout's second round
            await trio.lowlevel.checkpoint()
        EVENTS["leave"].set()

    assert (request.got.status, other.got.body) == (0, b"left")
    assert LOG == ["behind"], "the other's"
    assert sorted(signalled) == ["finished"] * 2 + ["started"] * 2


async def test_a_view_that_holds_the_loop_is_given_up(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str], caplog: Any
) -> None:
    """
    A cancelled request ends, with request_finished, though its view still runs on the other loop.
    """
    request = request_to(app, "/holding/")
    async with running(app, shutdown_seconds=0.01):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.run)
            await in_thread("view")
            nursery.cancel_scope.cancel()
        EVENTS["go"].set()

    assert (request.got.status, signalled) == (0, ["started", "finished"])
    assert "holding" not in caplog.text


async def test_what_a_cancelled_view_raises(
    app: DjangoApplication, running: Any, request_to: Any, caplog: Any
) -> None:
    """
    What a view raises when it is cancelled is logged: there is no response to tell of it.
    """
    async with running(app), trio.open_nursery() as nursery:
        nursery.start_soon(request_to(app, "/refusing/").run)
        await in_thread("view")
        nursery.cancel_scope.cancel()

    assert "GET '/refusing/' raised after it was cancelled" in caplog.text
    assert "LookupError: while it ends" in caplog.text


async def test_a_job_is_told_to_nobody_before_a_thread_has_it(
    app: DjangoApplication, running: Any, request_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each job of a request is known to be waited for by no task before it is submitted.
    """
    told: list[bool] = []
    async with running(app):
        submit = app.pool._crew.submit

        def submitted(job: Any) -> None:
            told.append(job.on_end is not None)
            submit(job)

        monkeypatch.setattr(app.pool._crew, "submit", submitted)
        EVENTS["go"].set()
        await request_to(app, "/view/").run()

    assert told == [True, True]


@pytest.mark.parametrize("at", ["view", "thread"])
async def test_the_pool_closes_meanwhile(
    at: str, app: DjangoApplication, running: Any, request_to: Any, caplog: Any
) -> None:
    """
    What is at asyncio, or waits for a thread behind it, when the threads end is told so; it is cut
    off, with a line in the log, and lets go of its body.
    """
    failures: list[type[BaseException]] = []

    async def run(run_it: Callable[[], Any]) -> None:
        try:
            await run_it()
        except PoolClosed as error:
            failures.append(type(error))

    request = request_to(app, "/holding/")
    async with trio.open_nursery() as nursery:
        async with running(app, view_threads=1, shutdown_seconds=0.01):
            nursery.start_soon(run, request.run)
            await in_thread("view")
            if at == "thread":
                nursery.start_soon(partial(run, request_to(app, "/blocked/").run))
                await in_thread("blocked")
                EVENTS["go"].set()
                while app.pool.statistics().queued == 0:
                    await trio.lowlevel.checkpoint()
        EVENTS["go"].set()
        EVENTS["leave"].set()

    assert request.got.status == 0
    assert failures[0] is PoolClosed
    assert "GET '/holding/' was cut off" in caplog.text
