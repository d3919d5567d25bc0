# Spans of Django's requests: one each, current wherever its code runs, with what its view raised.

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path, re_path
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from recorded_spans import Spans, recorded, said

from greenroom.actors import Actor, EventStreamConsumer, handles
from greenroom.bridges.django import Greenroom, django_application, on_asyncio, on_trio
from greenroom.bridges.django import path as route
from greenroom.bridges.django import re_path as tail
from greenroom.bridges.testing import serve
from greenroom.bridges.tracing._kinds import TracedKinds
from greenroom.supervisor import current_root


def here() -> str:
    return getattr(trace.get_current_span(), "name", "none")


def sync_view(request: Any) -> HttpResponse:
    return HttpResponse(here())


@on_trio
async def trio_view(request: Any) -> HttpResponse:
    return HttpResponse(here())


@on_asyncio
async def asyncio_view(request: Any) -> HttpResponse:
    return HttpResponse(here())


def streaming(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(here() for _ in range(2))


def raising(request: Any) -> HttpResponse:
    raise ValueError("boom")


def casting(request: Any, year: int) -> HttpResponse:
    current_root().find("/residents/worker").call_blocking({"type": "work"})
    return HttpResponse(b"done")


urlpatterns = [
    path("sync/", sync_view),
    path("trio/", trio_view),
    path("asyncio/", asyncio_view),
    path("streaming/", streaming),
    path("raising/", raising),
    path("casting/<int:year>/", casting),
    re_path(r"^odd/(?P<n>\d+)$", lambda request, n: HttpResponse(n)),
]


class Worker(Actor):
    @handles("work")
    async def on_work(self, message):
        return 1


class News(EventStreamConsumer):
    def connect(self):
        self.accept()
        self.send(data=here())


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    """The views of this file."""
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of all trees that begin in the test."""
    with recorded() as spans:
        yield spans


@pytest.mark.parametrize("name", ["sync", "trio", "asyncio"])
async def test_a_view(spans: Spans, name: str) -> None:
    """
    A view has one span, current in its thread and on its loop, called by its route.
    """
    async with serve(Greenroom(http=django_application())) as server:
        assert (await server.http("GET", f"/{name}/?x=y")).body == b"GET"
    [span] = spans

    assert (span.name, span.kind) == (f"GET /{name}/", SpanKind.SERVER)
    assert said(span)["http.route"] == f"/{name}/"
    assert said(span)["http.response.status_code"] == 200
    assert span.status.status_code is StatusCode.UNSET


async def test_a_stream(spans: Spans) -> None:
    """
    A streamed response is part of the span, which ends with it.
    """
    async with serve(Greenroom(http=django_application())) as server:
        assert (await server.http("GET", "/streaming/")).body == b"GETGET"

    assert spans.names == ["GET /streaming/"]


async def test_routes(spans: Spans) -> None:
    """
    The route is the pattern, not the path; where none matched there is none.
    """
    async with serve(Greenroom(http=django_application(), children=[Worker])) as server:
        for each in ("/casting/2026/", "/odd/7", "/nowhere/"):
            await server.http("GET", each)

    assert [span.name for span in spans if span.kind is SpanKind.SERVER] == [
        "GET /casting/<int:year>/", r"GET /^odd/(?P<n>\d+)$", "GET",
    ]  # fmt: skip
    assert spans.children(spans.one("GET /casting/<int:year>/")) == ["call Worker work"]
    assert spans.children(spans.one("call Worker work")) == ["process Worker work"]


async def test_a_view_that_raises(spans: Spans) -> None:
    """
    What a view raises is on its span, although Django makes a response of it.
    """
    async with serve(Greenroom(http=django_application())) as server:
        assert (await server.http("GET", "/raising/")).status == 500
    span = spans.one("GET /raising/")

    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["http.response.status_code"] == 500
    assert [dict(event.attributes or {})["exception.type"] for event in span.events] == [
        "ValueError"
    ]


async def test_djangos_own_instrumentation(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where OpenTelemetry's instrumentation of Django is at work, views have no second span.

    A consumer's request, which it does not see, has one.
    """
    module = ModuleType("opentelemetry.instrumentation.django.middleware")
    module.Theirs = lambda get_response: get_response  # type: ignore[attr-defined]
    for name in ("opentelemetry.instrumentation", "opentelemetry.instrumentation.django"):
        monkeypatch.setitem(__import__("sys").modules, name, ModuleType(name))
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    with override_settings(MIDDLEWARE=[f"{module.__name__}.Theirs"]):
        routes = [route("news/", News, name="news"), tail(r"", django_application())]
        async with serve(Greenroom(http=routes)) as server:
            assert (await server.http("GET", "/sync/")).body == b"none"
            async with server.event_stream("/news/") as stream:
                assert (await stream.next_event()).data == "start News"

    assert [span.name for span in spans if span.kind is SpanKind.SERVER] == ["GET news"]


async def test_the_setting() -> None:
    """
    TRACING in GREENROOM has the application traced; without it, it is not.
    """
    with override_settings(GREENROOM={"TRACING": True}):
        async with serve(Greenroom(http=django_application())) as server:
            assert isinstance(server.root.kinds, TracedKinds)
    async with serve(Greenroom(http=django_application())) as server:
        assert not isinstance(server.root.kinds, TracedKinds)


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    The setting without its extra is refused in one sentence that says what to install.
    """
    import greenroom.bridges.django._tracing as bridge

    def missing(options: Any) -> None:
        raise ImportError("tracing needs opentelemetry-api: pip install 'greenroom[tracing]'")

    monkeypatch.setattr(bridge, "kinds_of", missing)
    with override_settings(GREENROOM={"TRACING": True}):
        with pytest.raises(ImproperlyConfigured, match=r"TRACING is on, but .*pip install"):
            Greenroom(http=django_application())


async def test_through_asgiref(spans: Spans) -> None:
    """
    What asgiref carries from a handler to a thread, or from a thread to the loop, is below it.
    """

    class Hops(Actor):
        @handles("to a thread")
        async def on_async(self, message):
            return await sync_to_async(here)()

        @handles("to the loop")
        def on_def(self, message):
            return async_to_sync(self.look)()

        async def look(self):
            return here()

    async with serve(Greenroom(children=[Hops])) as server:
        hops = server.root.find("/residents/hops")
        said_there = [await hops.call({"type": each}) for each in ("to a thread", "to the loop")]

    assert said_there == ["process Hops to a thread", "process Hops to the loop"]
