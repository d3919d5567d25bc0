# Async views where asgiref is as it was: PATCH_ASGIREF is False, or it is an unknown one.

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import sniffio
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from greenroom.bridges.asgiref import is_patched
from greenroom.bridges.django import (
    DjangoApplication,
    Greenroom,
    django_application,
    on_asyncio,
    on_trio,
)
from greenroom.bridges.django._on_trio import teach_asgiref, unteach_asgiref


def views(mark: Any) -> dict[str, Any]:
    @mark
    async def hello(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(sniffio.current_async_library())

    @mark
    async def stream(_request: HttpRequest) -> StreamingHttpResponse:
        async def generate() -> AsyncIterator[str]:
            yield sniffio.current_async_library()

        return StreamingHttpResponse(generate())

    @mark
    async def orm(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"{await User.objects.acount()} users")

    return {"hello": hello, "stream": stream, "orm": orm}


urls = ModuleType("django_unpatched_urls")
urls.urlpatterns = [  # type: ignore[attr-defined]
    path(f"{flavour}/{name}/", view)
    for flavour, mark in {"trio": on_trio, "asyncio": on_asyncio}.items()
    for name, view in views(mark).items()
]
sys.modules.setdefault("django_unpatched_urls", urls)


def around(get_response: Any) -> Any:
    def run(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        return response

    return run


@on_trio
def only_async(get_response: Any) -> Any:
    async def run(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await get_response(request)
        return response

    return run


only_async.sync_capable = False  # type: ignore[attr-defined]
only_async.async_capable = True  # type: ignore[attr-defined]
sys.modules.setdefault("django_unpatched", sys.modules[__name__])

both = pytest.mark.parametrize("flavour", ["trio", "asyncio"])


@pytest.fixture
def unpatched() -> Iterator[None]:
    """
    asgiref as it was, and the views of this file.
    """
    was = is_patched()
    unteach_asgiref()
    with override_settings(
        GREENROOM={"PATCH_ASGIREF": False}, ROOT_URLCONF="django_unpatched_urls"
    ):
        yield
    if was:
        teach_asgiref()


def made(*middleware: str) -> DjangoApplication:
    with override_settings(MIDDLEWARE=[f"django_unpatched.{name}" for name in middleware]):
        return django_application()


@both
@pytest.mark.usefixtures("unpatched")
async def test_views_and_streams(flavour: str, running: Any, request_to: Any) -> None:
    """
    Views and streams run on the loop of their mark all the same.
    """
    async with running(made()) as app:
        hello = await request_to(app, f"/{flavour}/hello/").run()
        stream = await request_to(app, f"/{flavour}/stream/").run()

    assert (hello.body.decode(), stream.body.decode()) == (flavour, flavour)


@pytest.mark.usefixtures("unpatched", "database")
async def test_the_orm_on_asyncio(running: Any, request_to: Any) -> None:
    """
    Django's async functions work on asyncio as ever, in asgiref's own thread.
    """
    async with running(made()) as app:
        got = await request_to(app, "/asyncio/orm/").run()

    assert got.body == b"0 users"


@pytest.mark.usefixtures("unpatched")
async def test_the_orm_on_trio(running: Any, request_to: Any, caplog: Any) -> None:
    """
    On trio they are an error that says what to do.
    """
    async with running(made()) as app:
        got = await request_to(app, "/trio/orm/").run()

    assert got.status == 500
    assert "no running event loop" in caplog.text
    assert "has to be marked @on_asyncio" in caplog.text


@both
@pytest.mark.usefixtures("unpatched")
async def test_below_a_thread(flavour: str, running: Any, request_to: Any, caplog: Any) -> None:
    """
    Below middleware that is called around the view a view for asyncio works, and one for trio is
    refused, for it would be run on asyncio.
    """
    async with running(made("around")) as app:
        got = await request_to(app, f"/{flavour}/hello/").run()

    if flavour == "asyncio":
        assert got.body == b"asyncio"
    else:
        assert got.status == 500
        assert "hello at 0x" in caplog.text
        assert "Mark it @on_asyncio" in caplog.text


@pytest.mark.usefixtures("unpatched")
def test_async_middleware_for_trio_is_refused() -> None:
    """
    Async middleware for trio is refused at start.
    """
    with pytest.raises(ImproperlyConfigured, match="the async middleware of MIDDLEWARE"):
        made("only_async")


@override_settings(STATIC_URL="/static/")
async def test_djangos_static_files(running: Any, request_to: Any) -> None:
    """
    ASGIStaticFilesHandler in front of us passes on what is no static file; for one it says what to
    use. As Greenroom's http it is refused at start.
    """
    with override_settings(ROOT_URLCONF="django_unpatched_urls"):
        async with running(made()) as app:
            front = ASGIStaticFilesHandler(app)
            got = await request_to(front, "/trio/hello/").run()
            with pytest.raises(RuntimeError, match="Django's own ASGIStaticFilesHandler needs"):
                await request_to(front, "/static/style.css").run()
    with pytest.raises(TypeError, match="Django's own ASGIStaticFilesHandler can't run on trio"):
        Greenroom(http=front)

    assert got.body == b"trio"


def test_djangos_static_files_on_asyncio() -> None:
    """
    On asyncio Django's handlers are as they were.
    """
    teach_asgiref()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        scope = {"type": "http", "method": "GET", "path": "/static/no.css", "headers": []}
        await ASGIStaticFilesHandler(None)(scope, queue.get, send)

    with override_settings(STATIC_URL="/static/", ROOT_URLCONF="django_unpatched_urls"):
        asyncio.run(ask())

    assert sent[0]["status"] == 404
