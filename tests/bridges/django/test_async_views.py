# Async views, middleware and streams, on trio and on asyncio, driven in this process.

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import trio
from asgiref.sync import iscoroutinefunction
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils import timezone, translation
from django.utils.deprecation import MiddlewareMixin
from django.views import View

from greenroom.bridges.django import (
    DjangoApplication,
    django_application,
    on_asyncio,
    on_trio,
)

LOG: list[Any] = []
taste: contextvars.ContextVar[str] = contextvars.ContextVar("taste", default="none")

ENTERED = threading.Event()


async def nap(flavour: str) -> None:
    if flavour == "trio":
        await trio.sleep(0)
    else:
        await asyncio.sleep(0)


async def forever(flavour: str) -> None:
    ENTERED.set()
    try:
        if flavour == "trio":
            await trio.sleep_forever()
        await asyncio.Event().wait()
    finally:
        LOG.append(f"{flavour} cancelled")


def views(flavour: str) -> dict[str, Any]:
    mark = on_trio if flavour == "trio" else on_asyncio

    @mark
    async def hello(_request: HttpRequest) -> HttpResponse:
        await nap(flavour)
        return HttpResponse(f"{flavour} {threading.current_thread().name}")

    @mark
    class Classy(View):
        async def get(self, _request: HttpRequest) -> HttpResponse:
            await nap(flavour)
            return HttpResponse(flavour)

    @mark
    async def never(_request: HttpRequest) -> HttpResponse:
        await forever(flavour)
        return HttpResponse()

    @mark
    async def raises(request: HttpRequest) -> HttpResponse:
        await nap(flavour)
        if "exit" in request.GET:
            sys.exit(3)
        raise LookupError("in an async view")

    @mark
    async def context(_request: HttpRequest) -> HttpResponse:
        seen = f"{taste.get()} {translation.get_language()} {timezone.get_current_timezone_name()}"
        await nap(flavour)
        taste.set("view")
        translation.activate("fr")
        return HttpResponse(seen)

    @mark
    async def late(_request: HttpRequest) -> HttpResponse:
        await nap(flavour)
        return SimpleTemplateResponse("missing")

    @mark
    async def stream(request: HttpRequest) -> StreamingHttpResponse:
        async def generate() -> AsyncIterator[str]:
            try:
                yield f"{taste.get()} "
                for number in range(3):
                    await nap(flavour)
                    yield f"{number} "
                if "fail" in request.GET:
                    raise LookupError("in an async stream")
                if "forever" in request.GET:
                    await forever(flavour)
            finally:
                LOG.append("generator closed")

        return StreamingHttpResponse(generate())

    @mark
    async def users(_request: HttpRequest) -> HttpResponse:
        from django.contrib.auth.models import User

        return HttpResponse(f"{await User.objects.acount()} users")

    return {
        "hello": hello,
        "class": Classy.as_view(),
        "never": never,
        "raises": raises,
        "context": context,
        "late": late,
        "stream": stream,
        "users": users,
    }


urls = ModuleType("django_async_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path(f"{flavour}/{name}/", view)
    for flavour in ("trio", "asyncio")
    for name, view in views(flavour).items()
]
sys.modules.setdefault("django_async_urls", urls)


class Mixin(MiddlewareMixin):
    def process_request(self, _request: HttpRequest) -> None:
        LOG.append(("in", threading.current_thread().name))
        taste.set("middleware")
        translation.activate("de")
        timezone.activate("Asia/Tokyo")

    def process_response(
        self, _request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        LOG.append(("out", threading.current_thread().name))
        response["X-Taste"] = f"{taste.get()} {translation.get_language()}"
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        LOG.append(("exception", sys.exc_info()[1] is error))
        return HttpResponse("caught", status=418) if "catch" in request.GET else None

    def process_template_response(self, _request: HttpRequest, response: Any) -> HttpResponse:
        response.content = "from the template's middleware"
        return response


def function(get_response: Any) -> Any:
    def run(request: HttpRequest) -> HttpResponseBase:
        taste.set("function")
        response: HttpResponseBase = get_response(request)
        return response

    return run


def only_async(flavour: str) -> Any:
    def factory(get_response: Any) -> Any:
        async def run(request: HttpRequest) -> HttpResponseBase:
            await nap(flavour)
            taste.set("async middleware")
            response: HttpResponseBase = await get_response(request)
            await nap(flavour)
            response["X-Async"] = flavour
            return response

        return (on_trio if flavour == "trio" else on_asyncio)(run)

    factory.sync_capable = False  # type: ignore[attr-defined]
    factory.async_capable = True  # type: ignore[attr-defined]
    return factory


only_async_on_trio = only_async("trio")
only_async_on_asyncio = only_async("asyncio")


def hybrid(get_response: Any) -> Any:
    if iscoroutinefunction(get_response):  # type: ignore[reportDeprecated]

        async def run_async(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            response["X-Hybrid"] = "async"
            return response

        return run_async

    def run(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        response["X-Hybrid"] = "sync"
        return response

    return run


hybrid.sync_capable = hybrid.async_capable = True  # type: ignore[attr-defined]
sys.modules.setdefault("django_async_middleware", sys.modules[__name__])

pytestmark = pytest.mark.usefixtures("clean")
both = pytest.mark.parametrize("flavour", ["trio", "asyncio"])


@pytest.fixture
def clean() -> Iterator[None]:
    """
    An empty log, and the views of this file.
    """
    LOG.clear()
    ENTERED.clear()
    with override_settings(ROOT_URLCONF="django_async_urls"):
        yield


def made(*middleware: str) -> DjangoApplication:
    names = [f"django_async_middleware.{name}" for name in middleware]
    with override_settings(MIDDLEWARE=names):
        return django_application()


async def entered() -> None:
    assert await trio.to_thread.run_sync(ENTERED.wait, 10)


@both
async def test_a_view_runs_on_the_loop_of_its_mark(
    flavour: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A function marked for trio runs on trio's thread, one marked for asyncio on the other loop's.
    """
    async with running(made()) as app:
        got = await request_to(app, f"/{flavour}/hello/").run()
        classy = await request_to(app, f"/{flavour}/class/").run()

    thread = threading.current_thread().name if flavour == "trio" else "greenroom-asyncio"
    assert got.body.decode() == f"{flavour} {thread}"
    assert (classy.status, classy.body.decode()) == (200, flavour)
    assert signalled == ["started", "finished"] * 2


@both
async def test_no_thread_is_held(flavour: str, running: Any, request_to: Any) -> None:
    """
    Twenty async views that wait leave the only thread of the views free.
    """
    async with running(made("Mixin"), view_threads=1) as app:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(request_to(app, f"/{flavour}/never/").run)
                await entered()
                now = app.pool.statistics()
                while now.running:  # the last of them may not have left its thread yet
                    await trio.lowlevel.checkpoint()
                    now = app.pool.statistics()
                assert (now.running, now.queued, now.parked) == (0, 0, 0)
                nursery.cancel_scope.cancel()


@both
@pytest.mark.parametrize("leaves", [True, False])
async def test_it_is_cancelled(
    flavour: str, leaves: bool, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A client that leaves, or a cancelled request, cancels the view; request_finished is sent.
    """
    async with running(made("Mixin")) as app, trio.open_nursery() as nursery:
        request = request_to(app, f"/{flavour}/never/")
        nursery.start_soon(request.run)
        await entered()
        if leaves:
            request.gone.set()
        else:
            nursery.cancel_scope.cancel()

    assert [each for each in LOG if isinstance(each, str)] == [f"{flavour} cancelled"]
    assert (request.got.status, signalled) == (0, ["started", "finished"])


@both
async def test_context_goes_along(flavour: str, running: Any, request_to: Any) -> None:
    """
    What a middleware sets the view sees, and what the view sets the middleware sees behind it.
    """
    async with running(made("Mixin")) as app:
        got = await request_to(app, f"/{flavour}/context/").run()
        stream = await request_to(app, f"/{flavour}/stream/").run()

    assert got.body == b"middleware de Asia/Tokyo"
    assert got.header("x-taste") == "view fr"
    assert stream.body == b"middleware 0 1 2 "
    assert taste.get() == "none"


@both
async def test_errors_go_through_the_middleware(
    flavour: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    What an async view raises gets to process_exception while it is handled, and to the 500 page.
    """
    async with running(made("Mixin")) as app:
        caught = await request_to(app, f"/{flavour}/raises/?catch").run()
        page = await request_to(app, f"/{flavour}/raises/").run()
        with override_settings(DEBUG=True):
            debug = await request_to(app, f"/{flavour}/raises/").run()
        with pytest.raises(SystemExit):
            await request_to(app, f"/{flavour}/raises/?exit").run()

    assert (caught.status, caught.body) == (418, b"caught")
    assert (page.status, debug.status) == (500, 500)
    assert b"in an async view" in debug.body
    assert ("exception", True) in LOG
    assert signalled == ["started", "finished"] * 4


@both
async def test_a_late_response_is_rendered(flavour: str, running: Any, request_to: Any) -> None:
    """
    What an async view leaves to be rendered goes through process_template_response.
    """
    async with running(made("Mixin")) as app:
        got = await request_to(app, f"/{flavour}/late/").run()

    assert got.body == b"from the template's middleware"


@both
async def test_atomic_requests_are_refused(flavour: str, running: Any, request_to: Any) -> None:
    """
    With ATOMIC_REQUESTS an async view is Django's RuntimeError, a 500.
    """
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    try:
        async with running(made()) as app:
            got = await request_to(app, f"/{flavour}/hello/").run()
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False

    assert got.status == 500


@both
@pytest.mark.usefixtures("database")
async def test_the_orm_can_be_awaited(flavour: str, running: Any, request_to: Any) -> None:
    """
    Django's async functions work in async views.
    """
    async with running(made()) as app:
        got = await request_to(app, f"/{flavour}/users/").run()

    assert got.body == b"0 users"


@both
async def test_a_stream_is_closed_with_its_client(
    flavour: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A stream that waits is cancelled when its client leaves, and its generator is closed.
    """
    async with running(made(), view_threads=1) as app, trio.open_nursery() as nursery:
        request = request_to(app, f"/{flavour}/stream/?forever")
        nursery.start_soon(request.run)
        await entered()
        assert app.pool.statistics().running == 0
        request.gone.set()

    assert [f"{flavour} cancelled", "generator closed"] == LOG
    assert not request.got.ended
    assert signalled == ["started", "finished"]


@both
async def test_a_stream_that_raises_is_cut_off(
    flavour: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    What an async generator raises ends the application's call; the response stays unfinished.
    """
    async with running(made()) as app:
        request = request_to(app, f"/{flavour}/stream/?fail")
        with pytest.raises(LookupError, match="in an async stream"):
            await request.run()

    assert request.got.body == b"none 0 1 2 "
    assert not request.got.ended
    assert LOG == ["generator closed"]
    assert signalled == ["started", "finished"]


@both
@pytest.mark.parametrize(
    "middleware", ["function", "hybrid", "only_async_on_trio", "only_async_on_asyncio"]
)
async def test_any_middleware(
    flavour: str, middleware: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    Middleware that is a function, async or both works around views of both loops.
    """
    stack = ("Mixin", middleware, "Mixin")
    async with running(made(*stack), view_threads=1) as app:
        got = await request_to(app, f"/{flavour}/context/").run()
        failed = await request_to(app, f"/{flavour}/raises/").run()
        stream = await request_to(app, f"/{flavour}/stream/").run()

    assert (got.status, got.body) == (200, b"middleware de Asia/Tokyo")
    assert got.header("x-taste") == "view fr"
    if middleware == "hybrid":
        assert got.header("x-hybrid") == "sync"
    if middleware.startswith("only"):
        assert got.header("x-async") == middleware.rpartition("_")[2]
    assert failed.status == 500
    assert stream.body == b"middleware 0 1 2 "
    assert signalled == ["started", "finished"] * 3


@both
async def test_below_any_middleware_a_view_is_cancelled(
    flavour: str, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    Where a thread has to wait for an async view, the view ends with its client, and the thread.
    """
    async with running(made("function"), view_threads=1) as app, trio.open_nursery() as nursery:
        request = request_to(app, f"/{flavour}/never/")
        nursery.start_soon(request.run)
        await entered()
        assert app.pool.statistics().parked == 1
        request.gone.set()

    assert [f"{flavour} cancelled"] == LOG
    assert signalled == ["started", "finished"]


@pytest.mark.parametrize("setting", ["trio", "asyncio"])
async def test_the_setting_says_what_an_unmarked_view_is(
    setting: str, running: Any, request_to: Any
) -> None:
    """
    GREENROOM["ASYNC_VIEWS"] decides where a view without a mark runs.
    """

    async def unmarked(_request: HttpRequest) -> HttpResponse:
        await nap(setting)
        return HttpResponse(threading.current_thread().name)

    module = ModuleType("django_unmarked_urls")
    module.urlpatterns = [path("", unmarked)]  # type: ignore[attr-defined]
    sys.modules["django_unmarked_urls"] = module
    with override_settings(ROOT_URLCONF=module.__name__, GREENROOM={"ASYNC_VIEWS": setting}):
        async with running(made()) as app:
            got = await request_to(app, "/").run()

    assert got.status == 200
    assert (got.body == b"greenroom-asyncio") == (setting == "asyncio")


def test_djangos_test_clients_are_as_they_were() -> None:
    """
    Client and AsyncClient, which know no trio, call async views on asyncio as ever.
    """

    async def get() -> HttpResponse:
        return await AsyncClient().get("/asyncio/class/")  # type: ignore[return-value]

    made()
    assert Client().get("/asyncio/class/").content == b"asyncio"
    assert asyncio.run(get()).content == b"asyncio"
