# Django behind ASGI, driven in this process.

import asyncio
import contextvars
import io
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
import trio
from django.db import transaction
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.test import override_settings
from django.urls import path

from greenroom.actors import PoolClosed
from greenroom.bridges.django import django_application
from greenroom.bridges.django._body import with_length
from greenroom.bridges.django._exchange import HIGH_WATER
from greenroom.bridges.django._handler import DjangoApplication

LOG: list[Any] = []
GATES: dict[str, threading.Event] = {}
flavour: contextvars.ContextVar[str] = contextvars.ContextVar("flavour", default="none")


def here() -> str:
    return threading.current_thread().name


def middleware(get_response: Any) -> Any:
    def run(request: HttpRequest) -> HttpResponseBase:
        LOG.append(("middleware", here()))
        return get_response(request)

    return run


def hello(_request: HttpRequest) -> HttpResponse:
    LOG.append(("view", here()))
    response = HttpResponse("hello")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="application/octet-stream")


def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    return HttpResponse(f"{file.name} {file.size}")


def meta(request: HttpRequest) -> HttpResponse:
    names = request.GET["names"].split(",")
    return HttpResponse("|".join(str(request.META.get(name, "-")) for name in names))


class Endless:
    """An endless stream of one kilobyte at a time that says when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        LOG.append("chunk")
        return b"x" * 1024

    def close(self) -> None:
        LOG.append(("closed", here()))


def endless(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(Endless())


def numbers(request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[str]:
        try:
            for number in range(3):
                LOG.append(("iterate", here()))
                yield f"{number}\n"
            if "fail" in request.GET:
                raise LookupError("in the middle")
        finally:
            LOG.append(("generator closed", here()))

    LOG.append(("view", here()))
    return StreamingHttpResponse(generate())


def blocked(_request: HttpRequest) -> HttpResponse:
    GATES["entered"].set()
    GATES["leave"].wait(10)
    LOG.append("view returned")
    return HttpResponse("late")


def stuck_stream(_request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[str]:
        yield "first"
        GATES["entered"].set()
        GATES["leave"].wait(10)
        try:
            yield "second"
        finally:
            GATES["closed"].set()

    return StreamingHttpResponse(generate())


def raises(request: HttpRequest) -> HttpResponse:
    if "exit" in request.GET:
        sys.exit(3)
    raise LookupError("a view that raises")


def taste(_request: HttpRequest) -> HttpResponse:
    before = flavour.get()
    flavour.set("sweet")
    return HttpResponse(before)


def save_and_fail(_request: HttpRequest) -> HttpResponse:
    from django.contrib.auth.models import User

    User.objects.create(username="rolled back")
    LOG.append(transaction.get_connection().in_atomic_block)
    raise LookupError("after a write")


async def async_view(_request: HttpRequest) -> HttpResponse:
    from django.contrib.auth.models import User

    await asyncio.sleep(0)
    return HttpResponse(f"{await User.objects.acount()} users")


async def async_stream(_request: HttpRequest) -> StreamingHttpResponse:
    async def generate() -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield "tick "
        finally:
            LOG.append("async generator closed")

    return StreamingHttpResponse(generate())


async def waiting(_request: HttpRequest) -> HttpResponse:
    GATES["entered"].set()
    try:
        await asyncio.Event().wait()
    finally:
        LOG.append("async view ended")
    return HttpResponse("never")


def file(_request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))  # noqa: PTH123  # closed by Django


def no_content(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


urls = ModuleType("django_test_urls")
PIPES: list[Any] = []


def pipe(_request: HttpRequest) -> FileResponse:
    return FileResponse(PIPES.pop())


urls.urlpatterns = [  # type: ignore[attr-defined]
    path("async/", async_view),
    path("async-stream/", async_stream),
    path("blocked/", blocked),
    path("echo/", echo),
    path("endless/", endless),
    path("file/", file),
    path("hello/", hello),
    path("meta/", meta),
    path("no-content/", no_content),
    path("numbers/", numbers),
    path("pipe/", pipe),
    path("raises/", raises),
    path("save-and-fail/", save_and_fail),
    path("stuck-stream/", stuck_stream),
    path("taste/", taste),
    path("upload/", upload),
    path("waiting/", waiting),
]
sys.modules.setdefault("django_test_urls", urls)

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def clean() -> Iterator[None]:
    """
    An empty log and closed gates; the gates open at the end, so that no thread stays.
    """
    LOG.clear()
    GATES.update({name: threading.Event() for name in ("entered", "leave", "closed")})
    with override_settings(ROOT_URLCONF="django_test_urls"):
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


async def test_a_sync_view_answers_from_a_worker_thread(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    A view runs on the views' threads, and its status, headers and cookies arrive.
    """
    async with running(app):
        got = await request_to(app, "/hello/").run()

    assert (got.status, got.body, got.ended) == (200, b"hello", True)
    assert got.header("content-type") == "text/html; charset=utf-8"
    cookies = [value for name, value in got.headers if name.lower() == b"set-cookie"]
    assert cookies == [b"a=1; Path=/", b"b=2; Path=/"]
    assert LOG[0][1].startswith("views-")


async def test_one_hop(running: Any, request_to: Any) -> None:
    """
    Middleware, view, iteration and close run in one thread, in that order.
    """
    with override_settings(MIDDLEWARE=[f"{__name__}.middleware"]):
        sys.modules[__name__].__dict__.setdefault("middleware", middleware)
        app = django_application()
    async with running(app, view_threads=4):
        got = await request_to(app, "/numbers/").run()

    assert got.body == b"0\n1\n2\n"
    assert [what for what, _ in LOG] == [
        "middleware",
        "view",
        "iterate",
        "iterate",
        "iterate",
        "generator closed",
    ]
    assert len({thread for _, thread in LOG}) == 1


async def test_a_stream_is_read_only_as_fast_as_the_client_takes_it(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An endless generator is never more than a bounded number of bytes ahead of its client.
    """
    async with running(app), trio.open_nursery() as nursery:
        request = request_to(app, "/endless/", gated=True)
        nursery.start_soon(request.run)
        await request.take()
        for _ in range(20):
            await request.take()
            unsent = LOG.count("chunk") * 1024 - len(request.got.body)
            # what waits, what is on its way to the client, what the generator just made
            assert unsent <= 3 * HIGH_WATER
        request.gone.set()

    assert LOG[-1][0] == "closed"


async def test_a_client_that_leaves_closes_the_stream_in_its_thread(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    When the client leaves, a running generator's finally runs in the thread of the view.
    """
    async with running(app), trio.open_nursery() as nursery:
        request = request_to(app, "/endless/", gated=True)
        nursery.start_soon(request.run)
        await request.take()
        await request.take()
        request.gone.set()

    assert LOG[-1] == ("closed", "views-1")
    assert signalled == ["started", "finished"]
    assert not request.got.ended


async def test_a_stream_that_raises_is_cut_off(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A generator that raises ends the application with its error, and no last chunk is sent.
    """
    async with running(app):
        request = request_to(app, "/numbers/?fail")
        with pytest.raises(LookupError, match="in the middle") as raised:
            await request.run()

    assert raised.value.__context__ is None
    assert request.got.body == b"0\n1\n2\n"
    assert not request.got.ended
    assert LOG[-1][0] == "generator closed"
    assert signalled == ["started", "finished"]


async def test_a_view_that_raises_is_a_500_page(
    app: DjangoApplication, running: Any, request_to: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """
    An exception in a view is Django's business: a 500 page and its log entry.
    """
    with caplog.at_level(logging.ERROR, "django.request"):
        async with running(app):
            got = await request_to(app, "/raises/").run()

    assert got.status == 500
    assert b"Server Error" in got.body
    assert "LookupError: a view that raises" in caplog.text


async def test_debug_shows_the_error_page(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    With DEBUG the page of an error shows its traceback.
    """
    with override_settings(DEBUG=True):
        async with running(app):
            got = await request_to(app, "/raises/").run()

    assert got.status == 500
    assert b"a view that raises" in got.body


async def test_finished_also_after_system_exit(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    Below a root SystemExit passes on as it is; request_finished has been sent.
    """
    async with running(app):
        with pytest.raises(SystemExit):
            await request_to(app, "/raises/?exit").run()

    assert signalled == ["started", "finished"]


async def test_system_exit_never_leaves_an_application_served_by_itself(
    app: DjangoApplication, request_to: Any
) -> None:
    """
    Without a root SystemExit in a view becomes a RuntimeError: the server must live.
    """
    with pytest.raises(RuntimeError, match="raised SystemExit"):
        await request_to(app, "/raises/?exit").run()
    await app.pool.aclose(timeout=1)


async def test_a_cancelled_request_waits_for_its_view(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A request cancelled while its view runs ends when the view has returned.
    """
    async with running(app):
        request = request_to(app, "/blocked/")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.run)
            await in_thread(GATES["entered"])
            nursery.cancel_scope.cancel()
            GATES["leave"].set()
        assert LOG == ["view returned"]

    assert request.got.status == 0
    assert signalled == ["started", "finished"]


async def test_a_view_that_does_not_return_is_abandoned(
    app: DjangoApplication, running: Any, request_to: Any, autojump_clock: Any
) -> None:
    """
    Past the deadline a cancelled request leaves its view behind: listed, and then inert.
    """
    async with running(app):
        request = request_to(app, "/blocked/")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.run)
            await in_thread(GATES["entered"])
            nursery.cancel_scope.cancel()
        (left,) = app.pool.statistics().abandoned
        assert left.label == "GET '/blocked/'"
        assert LOG == []
        GATES["leave"].set()

    assert request.got.status == 0


async def test_a_stuck_stream_is_abandoned_when_its_client_leaves(
    app: DjangoApplication, running: Any, request_to: Any, autojump_clock: Any
) -> None:
    """
    A generator that hangs keeps its thread, not its request; it is closed when it comes back.
    """
    async with running(app):
        request = request_to(app, "/stuck-stream/", gated=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.run)
            await request.take()
            await request.take()
            await in_thread(GATES["entered"])
            request.gone.set()
        assert len(app.pool.statistics().abandoned) == 1
        GATES["leave"].set()
        await in_thread(GATES["closed"])

    assert request.got.body == b"first"


async def test_a_request_cancelled_in_the_queue_never_runs(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A request that is cancelled before a thread was free is withdrawn.
    """
    async with running(app, view_threads=1), trio.open_nursery() as nursery:
        nursery.start_soon(request_to(app, "/blocked/").run)
        await in_thread(GATES["entered"])
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(request_to(app, "/hello/").run)
                await trio.testing.wait_all_tasks_blocked()
                assert app.pool.statistics().queued == 1
                scope.cancel()
        GATES["leave"].set()

    assert LOG == ["view returned"]
    assert signalled == ["started", "finished"]


async def test_closing_ends_what_still_waits(
    app: DjangoApplication, running: Any, request_to: Any, autojump_clock: Any
) -> None:
    """
    When the threads are closed, a request that runs past the deadline, or is queued, ends.
    """

    async def refused(path: str) -> None:
        with pytest.raises(PoolClosed):
            await request_to(app, path).run()

    async with trio.open_nursery() as nursery:
        async with running(app, view_threads=1):
            nursery.start_soon(refused, "/blocked/")
            await in_thread(GATES["entered"])
            nursery.start_soon(refused, "/hello/")
            await trio.testing.wait_all_tasks_blocked()
    GATES["leave"].set()

    assert "hello" not in str(LOG)


async def test_slow_clients_do_not_take_the_threads(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    A stream that waits for its client gives its place away: others are served meanwhile.
    """
    async with running(app, view_threads=1), trio.open_nursery() as nursery:
        slow = request_to(app, "/endless/", gated=True)
        nursery.start_soon(slow.run)
        await slow.take()
        await slow.take()
        assert (await request_to(app, "/hello/").run()).body == b"hello"
        slow.gone.set()


async def test_a_body_in_pieces_arrives_whole(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    A body that comes in many messages is read to its end before the view runs.
    """
    async with running(app):
        got = await request_to(app, "/echo/", method="POST", body=[b"ab", b"", b"c"]).run()

    assert got.body == b"abc"


async def test_a_large_upload_goes_to_disk(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An upload above the memory limit is spooled to a file and parsed from there, chunked or not.
    """
    content = [b"z" * 65536] * 40
    body = [
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n',
        *content,
        b"\r\n--cut--\r\n",
    ]
    async with running(app):
        got = await request_to(
            app,
            "/upload/",
            method="POST",
            body=body,
            headers={"content-type": "multipart/form-data; boundary=cut"},
        ).run()

    assert got.body == b"big.bin 2621440"


async def test_the_limits_hold_for_a_chunked_body(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    A body without a Content-Length is measured, so that Django's limits apply to it.
    """
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        async with running(app):
            got = await request_to(app, "/echo/", method="POST", body=[b"123456", b"78901"]).run()

    assert got.status in {400, 413}


def test_a_chunked_body_is_measured_whatever_its_headers_say() -> None:
    """
    A Content-Length beside Transfer-Encoding is ignored, or a huge upload stays in memory.
    """
    chunked = (b"transfer-encoding", b"chunked")
    scope = {"headers": [chunked, (b"content-length", b"3")]}

    measured = with_length(scope, io.BytesIO(b"0123456789"))

    assert measured["headers"] == [chunked, (b"content-length", b"10")]


async def test_too_large_a_body_is_refused_as_django_does(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    DATA_UPLOAD_MAX_MEMORY_SIZE holds: Django answers 400 (413 from 6.x on, where it does).
    """
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        async with running(app):
            got = await request_to(
                app,
                "/echo/",
                method="POST",
                body=[b"12345678901"],
                headers={"content-length": "11"},
            ).run()

    assert got.status in {400, 413}


async def test_a_client_that_leaves_while_it_uploads_runs_no_view(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    A client that leaves before the end of its body starts no view and gets no answer.
    """
    request = request_to(app, "/hello/", method="POST")

    async def receive() -> Any:
        await trio.lowlevel.checkpoint()
        if request.body:
            return {"type": "http.request", "body": request.body.pop(), "more_body": True}
        return {"type": "http.disconnect"}

    request.receive = receive
    async with running(app):
        await request.run()

    assert (request.got.status, LOG, signalled) == (0, [], [])


async def test_head_sends_no_body_and_reads_no_stream(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    HEAD on a stream sends the headers and closes the stream unread.
    """
    async with running(app):
        whole = await request_to(app, "/hello/", method="HEAD").run()
        stream = await request_to(app, "/endless/", method="HEAD").run()

    assert (whole.status, whole.body, whole.ended) == (200, b"", True)
    assert (stream.status, stream.body, stream.ended) == (200, b"", True)
    assert LOG[-1] == ("closed", "views-1")
    assert "chunk" not in LOG


async def test_a_file_is_streamed(app: DjangoApplication, running: Any, request_to: Any) -> None:
    """
    A FileResponse arrives byte by byte, with its length.
    """
    async with running(app):
        got = await request_to(app, "/file/").run()

    with open(__file__, "rb") as this:  # noqa: ASYNC230, PTH123
        expected = this.read()
    assert got.body == expected
    assert got.header("content-length") == str(len(expected))


async def test_a_pipe_is_streamed_as_it_fills(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    What a pipe holds is sent, though it is less than a block, and the pipe is still open.
    """
    read_end, write_end = os.pipe()
    PIPES.append(open(read_end, "rb", buffering=0))  # noqa: ASYNC230, PTH123, SIM115 - the view's
    os.write(write_end, b"a")
    request = request_to(app, "/pipe/", gated=True)
    async with running(app), trio.open_nursery() as nursery:
        nursery.start_soon(request.run)
        try:
            with trio.fail_after(10):
                await request.take()
                await request.take()
                assert request.got.body == b"a"
        finally:
            os.close(write_end)
        await request.take()
    assert request.got.ended


async def test_an_empty_answer_ends(app: DjangoApplication, running: Any, request_to: Any) -> None:
    """
    A response without content is complete.
    """
    async with running(app):
        got = await request_to(app, "/no-content/").run()

    assert (got.status, got.body, got.ended) == (204, b"", True)


async def test_the_request_is_parsed_as_django_does(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    root_path is the script name, and a header name with an underscore is dropped.
    """
    names = "SCRIPT_NAME,PATH_INFO,HTTP_X_REAL,HTTP_X_SPOOFED,REMOTE_ADDR"
    async with running(app):
        got = await request_to(
            app,
            f"/below/meta/?names={names}",
            root_path="/below",
            headers={"x-real": "yes", "x_spoofed": "no"},
        ).run()

    assert got.body == b"/below|/meta/|yes|-|127.0.0.1"


async def test_requests_do_not_share_a_context(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    What one request puts into a context variable the next one on that thread does not see.
    """
    async with running(app, view_threads=1):
        got = [(await request_to(app, "/taste/").run()).body for _ in range(2)]

    assert got == [b"none", b"none"]


@pytest.mark.usefixtures("database")
async def test_atomic_requests_roll_back(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    With ATOMIC_REQUESTS what a failing view wrote is rolled back.
    """
    from django.contrib.auth.models import User
    from django.db import connections

    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    try:
        async with running(app):
            got = await request_to(app, "/save-and-fail/").run()
    finally:
        connections.settings["default"]["ATOMIC_REQUESTS"] = False

    assert (got.status, LOG) == (500, [True])
    assert await trio.to_thread.run_sync(lambda: close_after(User.objects.count)) == 0


def close_after(work: Any) -> Any:
    from django.db import connections

    try:
        return work()
    finally:
        connections.close_all()


@pytest.mark.usefixtures("database")
async def test_an_async_view_runs_on_asyncio(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An async view without a mark may use asyncio and Django's async API.
    """
    async with running(app):
        got = await request_to(app, "/async/").run()

    assert got.body == b"0 users"


async def test_an_async_stream_ends_when_its_client_leaves(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An endless async generator streams, and is closed when the client leaves.
    """
    async with running(app), trio.open_nursery() as nursery:
        request = request_to(app, "/async-stream/", gated=True)
        nursery.start_soon(request.run)
        for _ in range(4):
            await request.take()
        request.gone.set()

    assert request.got.body.startswith(b"tick tick ")
    assert LOG == ["async generator closed"]


async def test_an_async_view_ends_when_its_client_leaves(
    app: DjangoApplication, running: Any, request_to: Any, signalled: list[str]
) -> None:
    """
    An async view that waits holds no thread, and is cancelled when its client leaves.
    """
    async with running(app, view_threads=1), trio.open_nursery() as nursery:
        request = request_to(app, "/waiting/")
        nursery.start_soon(request.run)
        await in_thread(GATES["entered"])
        with trio.fail_after(10):
            assert (await request_to(app, "/hello/").run()).status == 200
        request.gone.set()

    assert LOG[-1] == "async view ended"
    assert signalled == ["started", "started", "finished", "finished"]
    assert request.got.status == 0


async def test_a_server_that_raises_on_send_is_a_client_that_left(
    app: DjangoApplication, running: Any, request_to: Any
) -> None:
    """
    An OSError out of send() closes the stream and is no error.
    """
    request = request_to(app, "/endless/")

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.body":
            raise BrokenPipeError

    request.send = send
    async with running(app):
        await request.run()

    assert LOG[-1] == ("closed", "views-1")


async def test_served_by_itself_it_answers_lifespan(app: DjangoApplication) -> None:
    """
    Alone under a server the application opens its threads at startup and closes them.
    """
    sent: list[str] = []
    messages = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> Any:
        await trio.lowlevel.checkpoint()
        return {"type": messages.pop(0)}

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_other_scopes_are_refused(app: DjangoApplication) -> None:
    """
    A websocket is closed before it is accepted; an unknown scope is a ValueError.
    """
    sent: list[Any] = []

    async def receive() -> Any:
        await trio.lowlevel.checkpoint()

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message["type"])

    await app({"type": "websocket"}, receive, send)
    assert sent == ["websocket.close"]
    with pytest.raises(ValueError, match="telegraph"):
        await app({"type": "telegraph"}, receive, send)


def test_another_loop_is_refused_with_a_sentence(app: DjangoApplication) -> None:
    """
    On asyncio the start-up fails with one sentence that says what to type.
    """
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "lifespan"}, receive, send))

    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "hypercorn -k trio" in sent[0]["message"]
