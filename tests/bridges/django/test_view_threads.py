# The views' threads: what of them is given to others, and how many there are.

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import trio
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.django import django_application, on_trio
from greenroom.bridges.django._exchange import HIGH_WATER


def middleware(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """
    Middleware that can't be taken apart: what is inside of it runs in its thread.
    """

    def call(request: HttpRequest) -> Any:
        response = get_response(request)
        response["X-Outside"] = "1"
        return response

    return call


class Inside:
    """The requests that are in the async view, which they leave when the test says so."""

    def __init__(self) -> None:
        self.now = 0
        self.may_leave = trio.Event()


@on_trio
async def waits(request: HttpRequest) -> HttpResponse:
    inside: Inside = request.scope["inside"]  # type: ignore[attr-defined]
    inside.now += 1
    await inside.may_leave.wait()
    return HttpResponse("left")


def hello(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def endless(_request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[bytes]:
        while True:
            yield b"x" * HIGH_WATER

    return StreamingHttpResponse(generate())


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    """
    The views, behind middleware with a call of its own.
    """
    module = ModuleType("django_view_threads_urls")
    module.urlpatterns = [  # type: ignore[attr-defined]
        path("waits/", waits),
        path("hello/", hello),
        path("endless/", endless),
    ]
    sys.modules[module.__name__] = module
    with override_settings(ROOT_URLCONF=module.__name__, MIDDLEWARE=[f"{__name__}.middleware"]):
        yield
    del sys.modules[module.__name__]


@pytest.mark.parametrize("spare", [0, 1, 2])
async def test_async_views_inside_of_middleware(running: Any, request_to: Any, spare: int) -> None:
    """
    Such a view holds a thread but no place, for PARKED_THREADS of them; so many threads there are.
    """
    app, inside = django_application(), Inside()
    got: list[Any] = []

    async def one() -> None:
        got.append(await request_to(app, "/waits/", inside=inside).run())

    async with running(app, view_threads=1, parked_threads=spare) as served:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(one)
            while inside.now < 1 + spare:  # noqa: ASYNC110 - a thread is on its way
                await trio.sleep(0.001)
            await wait_all_tasks_blocked(0.01)
            now = served.pool.statistics()
            assert (inside.now, now.threads) == (1 + spare, 1 + spare)
            assert (now.running, now.parked, now.queued) == (1, spare, 4 - spare)
            inside.may_leave.set()
        assert served.pool.statistics().threads <= 1 + spare

    assert [each.body for each in got] == [b"left"] * 5


async def test_a_slow_client_gives_its_place_away(running: Any, request_to: Any) -> None:
    """
    A stream that waits for its client lets another request run in a pool of one.
    """
    app = django_application()
    async with running(app, view_threads=1, parked_threads=1) as served:
        slow = request_to(app, "/endless/", gated=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow.run)
            await slow.take()  # the head
            assert (await request_to(app, "/hello/").run()).body == b"hello"
            assert served.pool.statistics().threads == 2
            nursery.cancel_scope.cancel()
