# Clients that leave, and requests that are cancelled, while nobody expects it: before a
# thread is free, and while async code waits for something that never comes.

import asyncio
import io
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import trio
import trio.testing
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from greenroom.bridges.django import DjangoApplication, django_application
from greenroom.bridges.django._answer import BLOCK_SIZE
from greenroom.bridges.django._lookout import ROUND_SECONDS

LOG: list[str] = []
GATES: dict[str, threading.Event] = {}


def blocked(_request: HttpRequest) -> HttpResponse:
    GATES["entered"].set()
    assert GATES["leave"].wait(10)
    return HttpResponse("left")


def hello(_request: HttpRequest) -> HttpResponse:
    LOG.append("hello")
    return HttpResponse("hello")


async def never(_request: HttpRequest) -> HttpResponse:
    GATES["entered"].set()
    try:
        await asyncio.Event().wait()
    finally:
        LOG.append("async view cancelled")
    return HttpResponse()


@method_decorator(csrf_exempt, name="dispatch")
class Never(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return await never(request)


def quiet_stream(_request: HttpRequest) -> StreamingHttpResponse:
    async def generate() -> AsyncIterator[str]:
        try:
            yield "the only event"
            await asyncio.Event().wait()
        finally:
            LOG.append("async stream closed")

    return StreamingHttpResponse(generate())


def file(_request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"x" * 2 * BLOCK_SIZE))


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"x"] * 3))


def async_stream(_request: HttpRequest) -> StreamingHttpResponse:
    async def generate() -> AsyncIterator[bytes]:
        yield b"x"

    return StreamingHttpResponse(generate())


urls = ModuleType("django_gone_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path("blocked/", blocked),
    path("hello/", hello),
    path("never/", never),
    path("never-class/", Never.as_view()),
    path("quiet-stream/", quiet_stream),
    path("file/", file),
    path("stream/", stream),
    path("async-stream/", async_stream),
]
sys.modules.setdefault("django_gone_urls", urls)

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def clean() -> Iterator[None]:
    """
    An empty log and closed gates; the gates open at the end, so that no thread stays.
    """
    LOG.clear()
    GATES.update({name: threading.Event() for name in ("entered", "leave")})
    with override_settings(ROOT_URLCONF="django_gone_urls"):
        yield
    GATES["leave"].set()


@pytest.fixture
def app() -> DjangoApplication:
    """
    A fresh application.
    """
    return django_application()


async def in_thread(event: threading.Event) -> None:
    assert await trio.to_thread.run_sync(event.wait, 10)


async def test_a_request_whose_client_leaves_the_queue_never_runs(
    app: DjangoApplication, running: Any, request_to: Any, mock_clock: trio.testing.MockClock
) -> None:
    """
    A client that gives up before a thread was free costs no thread; it is noticed two rounds later.
    """
    async with running(app, view_threads=1), trio.open_nursery() as nursery:
        first, second, third = (request_to(app, p) for p in ("/blocked/", "/hello/", "/hello/"))
        nursery.start_soon(first.run)
        await in_thread(GATES["entered"])
        nursery.start_soon(second.run)
        nursery.start_soon(third.run)
        await trio.testing.wait_all_tasks_blocked()
        second.gone.set()
        for waiting in (2, 2, 1):
            await trio.testing.wait_all_tasks_blocked()
            assert app.pool.statistics().queued == waiting
            mock_clock.jump(ROUND_SECONDS)
        GATES["leave"].set()

    assert LOG == ["hello"]
    assert (first.got.body, second.got.status, third.got.body) == (b"left", 0, b"hello")


async def test_an_async_stream_that_waits_ends_when_its_client_leaves(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An event stream without events gives its thread back when its client leaves.
    """
    async with running(app):
        async with trio.open_nursery() as nursery:
            request = request_to(app, "/quiet-stream/", gated=True)
            nursery.start_soon(request.run)
            await request.take()
            await request.take()
            request.gone.set()

        assert LOG == ["async stream closed"]
        assert not app.pool.statistics().abandoned


@pytest.mark.parametrize("url", ["/never/", "/never-class/"])
async def test_an_async_view_is_cancelled_with_its_request(
    app: DjangoApplication, running: Any, request_to: Any, url: str
) -> None:
    """
    An async view that waits for ever is cancelled in asyncio when its request is in trio.
    """
    async with running(app):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(request_to(app, url).run)
                await in_thread(GATES["entered"])
                scope.cancel()

        assert scope.cancelled_caught
        assert LOG == ["async view cancelled"]
        assert not app.pool.statistics().abandoned


@pytest.mark.parametrize("path", ["/hello/", "/file/", "/stream/", "/async-stream/"])
async def test_the_end_is_sent_though_receive_tells_of_a_disconnect(
    path: str, app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    A server that tells of the disconnect while it sends the end of a response, as hypercorn does,
    is not cancelled in it.
    """
    request = request_to(app, path)
    ended: list[bool] = []

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            request.gone.set()
            await trio.testing.wait_all_tasks_blocked()
            ended.append(True)

    async with running(app):
        await app(request.scope, request.receive, send)

    assert ended == [True]
