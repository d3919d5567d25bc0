# Async streams whose generator is marked, or wrapped by middleware: on which loop they run, and
# that all of it is closed with the request.

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import sniffio
import trio
from django.core import signals
from django.http import HttpRequest, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from greenroom.bridges.django import django_application, on_asyncio, on_trio
from greenroom.bridges.django._iterators import close_iterators

LOG: list[Any] = []
MARKS: dict[str, Any] = {"trio": on_trio, "asyncio": on_asyncio, "none": lambda code: code}


async def nap() -> None:
    if sniffio.current_async_library() == "trio":
        await trio.sleep(0)
    else:
        await asyncio.sleep(0)


async def ticks(name: str) -> AsyncGenerator[bytes, None]:
    LOG.append(f"{name} on {sniffio.current_async_library()}")
    try:
        while True:
            yield b"tick" * 100  # it waits nowhere else: it is here when its client leaves
    finally:
        await nap()
        LOG.append(f"{name} closed")


class Ticks:
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(ticks("view's")) as inner:
            async for tick in inner:
                yield tick


def iterator_of(mark: Any, kind: str) -> Any:
    if kind == "function":
        return mark(ticks)("view's")
    if kind == "partial":
        return mark(partial(ticks, "view's"))()
    if kind == "nested":

        @mark
        async def nested() -> AsyncIterator[bytes]:
            async with aclosing(ticks("view's")) as inner:
                async for tick in inner:
                    yield tick

        return nested()
    return mark(type("Marked", (Ticks,), {"__aiter__": Ticks.__aiter__}))()


def view(mark: Any, kind: str) -> Any:
    def sync(_request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(iterator_of(mark, kind))

    return sync


urls = ModuleType("django_async_stream_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path(f"{name}/{kind}/", view(mark, kind))
    for name, mark in MARKS.items()
    for kind in ("function", "partial", "nested", "class")
]
sys.modules.setdefault("django_async_stream_urls", urls)


class Passing:
    """Has no aclose, as many have not."""

    def __init__(self, inner: AsyncIterator[bytes]) -> None:
        self.inner = inner

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self.inner)


class InAClass(MiddlewareMixin):
    def process_response(self, _request: HttpRequest, response: Any) -> Any:
        response.streaming_content = Passing(response.streaming_content)
        return response


class InAGenerator(MiddlewareMixin):
    def process_response(self, _request: HttpRequest, response: Any) -> Any:
        async def generate(inner: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            try:
                async for each in inner:
                    yield each
            finally:
                await nap()
                LOG.append("middleware's closed")

        response.streaming_content = generate(response.streaming_content)
        return response


class Instead(MiddlewareMixin):
    def process_response(self, _request: HttpRequest, response: Any) -> Any:
        response.streaming_content = ticks("middleware's")
        return response


sys.modules.setdefault("django_async_streams", sys.modules[__name__])
GZIP = "django.middleware.gzip.GZipMiddleware"
IN_A_CLASS = "django_async_streams.InAClass"
IN_A_GENERATOR = "django_async_streams.InAGenerator"


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    """
    The views of this file, and an empty log in which request_finished is noted.
    """

    def note(**_: Any) -> None:
        LOG.append("finished")

    LOG.clear()
    signals.request_finished.connect(note)
    with override_settings(ROOT_URLCONF="django_async_stream_urls"):
        yield
    signals.request_finished.disconnect(note)


async def read_a_little(path: str, running: Any, request_to: Any, *middleware: str) -> None:
    """Take what comes before the generator runs as a client, and leave."""
    with override_settings(MIDDLEWARE=list(middleware)):
        application = django_application()
    async with running(application) as app, trio.open_nursery() as nursery:
        request = request_to(app, path, headers={"Accept-Encoding": "gzip"}, gated=True)
        nursery.start_soon(request.run)
        with trio.fail_after(30):
            while not LOG:
                await request.take()
            request.gone.set()


@pytest.mark.parametrize("kind", ["function", "partial", "nested", "class"])
@pytest.mark.parametrize("mark", ["trio", "asyncio"])
async def test_a_marked_generator(mark: str, kind: str, running: Any, request_to: Any) -> None:
    """
    What a marked async generator function, or class, makes is read on the loop of the mark, though
    its view is a `def` and the setting says the other.
    """
    other = "asyncio" if mark == "trio" else "trio"
    with override_settings(GREENROOM={"ASYNC_VIEWS": other}):
        await read_a_little(f"/{mark}/{kind}/", running, request_to)

    assert LOG[0] == f"view's on {mark}"


@pytest.mark.parametrize("mark", ["trio", "asyncio"])
@pytest.mark.parametrize(
    "middleware",
    [[GZIP], [IN_A_CLASS], [IN_A_GENERATOR], [GZIP, IN_A_CLASS, IN_A_GENERATOR, GZIP]],
    ids=["gzip", "class", "generator", "all"],
)
async def test_a_wrapped_generator(
    mark: str, middleware: list[str], running: Any, request_to: Any
) -> None:
    """
    A generator that middleware has wrapped keeps its loop; with its client it is closed at once,
    the wrappers first, and request_finished is sent behind.
    """
    await read_a_little(f"/{mark}/function/", running, request_to, *middleware)

    between = ["middleware's closed"] if IN_A_GENERATOR in middleware else []
    assert [f"view's on {mark}", *between, "view's closed", "finished"] == LOG


@pytest.mark.parametrize("mark", ["trio", "asyncio"])
async def test_a_replaced_generator(mark: str, running: Any, request_to: Any) -> None:
    """
    A generator in whose place middleware has put another is closed, too, though never read.
    """
    with override_settings(GREENROOM={"ASYNC_VIEWS": mark}):
        await read_a_little("/none/function/", running, request_to, "django_async_streams.Instead")

    assert [f"middleware's on {mark}", "middleware's closed", "finished"] == LOG


async def test_what_is_not_on_the_way_stays_open() -> None:
    """
    An async generator that the view's own one reads is its to close: it may be somebody else's.
    """
    shared = ticks("shared")

    async def generate() -> AsyncIterator[bytes]:
        async for tick in shared:
            yield tick

    response = StreamingHttpResponse(generate())
    content: Any = response.streaming_content
    assert await anext(content)

    await close_iterators(content, response)

    assert LOG == ["shared on trio"]
    assert await anext(shared)
    await shared.aclose()


async def test_one_that_fails_to_close() -> None:
    """
    Where an iterator raises as it is closed, the others are closed all the same, and it is raised.
    """

    class Failing(Passing):
        async def aclose(self) -> None:
            raise LookupError("while it was closed")

    response = StreamingHttpResponse(ticks("view's"))
    response._greenroom_iterator = response._iterator  # type: ignore[attr-defined]
    response.streaming_content = Failing(response.streaming_content)  # type: ignore[arg-type]
    content: Any = response.streaming_content
    assert await anext(content)

    with pytest.raises(LookupError, match="while it was closed"):
        await close_iterators(content, response)

    assert LOG == ["view's on trio", "view's closed"]
