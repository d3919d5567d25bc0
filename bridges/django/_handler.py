# Django's synchronous stack behind ASGI: one hop into a worker thread per request.
#
# Django's own ASGIHandler answers 500 to everything on trio. This one reads the body on
# the loop, then runs *everything* that is Django's in one job on the views' threads:
# signals, middleware, view, streaming, close. In one thread, so that database
# connections, transactions and thread-locals behave as under WSGI, and in a copy of the
# request's context, so that nothing leaks into the next request.
#
# Sync iterators are streamed with back-pressure (Django's handler collects them into a
# list first). A disconnect is watched for while a request waits for a thread, so that an
# overloaded server does not work for clients that have given up, and while a stream or an
# async view runs; not while a sync view does: it can't be stopped. Async views run by
# async_to_sync, each on an asyncio loop of its own beside the worker thread: limited, see
# docs; the real thing is a later issue.
#
# Invariants, each with a test of that name in tests/bridges/django/test_handler.py:
#   ONE HOP    middleware, view, iteration and close run in one thread, in that order.
#   FINISHED   request_finished is sent exactly once for each request_started, also when
#              the view raises SystemExit or the client leaves.
#   INERT      what an abandoned view does later reaches nobody.

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from typing import IO, Any, Protocol, cast

import trio
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from ...actors import Job, JobState, PoolClosed, ThreadPool
from ...actors._lowlevel import inside_trio, start_system_task
from ...actors._workers import Workers
from ...supervisor import Options
from ..hypercorn._startup import in_hypercorn_worker, leave
from ._async import cancellable, exchange_here, write_stream
from ._body import Receive, Scope, Send, read_body, with_length
from ._database import database_hooks
from ._exchange import ClientGone, Exchange, Head
from ._settings import load_options
from ._setup import require_django

logger = logging.getLogger("greenroom.django")

NOT_TRIO = (
    "Greenroom runs on trio, but this server runs another event loop."
    " Start it with: hypercorn -k trio mysite.asgi:application"
)


class HasOptions(Protocol):
    """What the handler reads of the root."""

    @property
    def options(self) -> Options: ...
    @property
    def pools(self) -> list[Workers]: ...


class DjangoApplication(ASGIHandler):
    """
    Django as an ASGI application for trio. Made by `django_application`.

    It owns the views' thread pool, which lives as long as the application: from
    `lifespan` on, or, served by itself, from its own lifespan or the first request on.
    """

    def __init__(self) -> None:
        require_django()
        super().__init__()
        self._pool: ThreadPool | None = None
        self._rooted = False
        self._shutdown_seconds = 5.0
        self._exchanges: set[Exchange] = set()

    def __repr__(self) -> str:
        pool = repr(self._pool) if self._pool else "no threads yet"
        return f"<DjangoApplication {len(self._exchanges)} requests, {pool}>"

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware of settings.MIDDLEWARE, always as a synchronous chain."""
        super().load_middleware(is_async=False)

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Prepare a view as Django does; an async one ends with its request, too."""
        view = super().make_view_atomic(view)
        # Django's own choice: inspect's does not know the marked classes on Python 3.11.
        marked = iscoroutinefunction(view)  # type: ignore[reportDeprecated]
        return cancellable(view) if marked else view

    # Life.

    def lifespan(self, root: HasOptions) -> AbstractAsyncContextManager[None]:
        """
        Return the context in which the application runs, with the options of *root*.

        Entering starts the thread pool. Leaving waits up to ``shutdown_seconds`` for
        running views, and closes the threads' database connections.
        """
        self._rooted = True
        return self._open(root.options, root.pools)

    @asynccontextmanager
    async def _open(self, options: Options, listed: list[Workers]) -> AsyncGenerator[None, None]:
        self._pool = self._make_pool(options)
        listed.append(self._pool)
        try:
            yield
        finally:
            pool, self._pool = self._pool, None
            with trio.CancelScope(shield=True):
                await pool.aclose(timeout=options.shutdown_seconds)
            for exchange in tuple(self._exchanges):
                exchange.fail(PoolClosed(pool.name, "a request"))

    def _make_pool(self, options: Options) -> ThreadPool:
        self._shutdown_seconds = options.shutdown_seconds
        return ThreadPool("views", options.view_threads, hooks=database_hooks())

    @property
    def pool(self) -> ThreadPool:
        """The views' threads; started now if the application is served by itself."""
        if self._pool is None:
            self._pool = self._make_pool(load_options())
        return self._pool

    # ASGI.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Serve one ASGI scope: a request, or the lifespan if it is served by itself.

        Cancelled while a view runs, it waits up to ``shutdown_seconds`` for the thread
        and then abandons it: the thread's place stays taken until it returns, and what
        it does reaches nobody.

        Raises:
            ValueError: the scope is neither http, websocket (refused) nor lifespan.
            BaseException: what the view raised past Django's own handling.
        """
        if not inside_trio():
            await _refuse_loop(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})  # before accept: 403
        else:
            raise ValueError(f"django_application() can't serve a {scope['type']!r} scope.")

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._open(load_options(), []):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        label = f"{scope['method']} {scope['path']!r:.200}"
        pool = self.pool
        body = await read_body(receive, partial(pool.run, label=f"upload of {label}"))
        if body is None:
            return
        exchange = Exchange()
        try:
            job = pool.submit(partial(self._respond, scope, body, exchange), label=label)
        except BaseException:
            body.close()
            raise
        job.on_call = lambda call: start_system_task(call.carry_out, f"async code of {label}")
        self._exchanges.add(exchange)
        try:
            if job.state is not JobState.QUEUED or await _began(job, exchange, receive):
                await _relay(exchange, receive, send)
        finally:
            if not exchange.ended:
                await self._part_with(job, exchange)  # noqa: ASYNC102 - has both inside
            if job.state is JobState.WITHDRAWN:
                body.close()  # else the view's thread does
            self._exchanges.discard(exchange)
            del job
        self._raise_error(exchange)

    async def _part_with(self, job: Job[None], exchange: Exchange) -> None:
        exchange.close()
        if job.withdraw() or job.state is JobState.WITHDRAWN:
            return
        with trio.move_on_after(self._shutdown_seconds, shield=True):
            await exchange.wait_ended()
        if not exchange.ended:
            job.abandon()

    def _raise_error(self, exchange: Exchange) -> None:
        try:
            exchange.raise_error()
        except Exception:
            raise
        except BaseException as error:
            if self._rooted:
                raise  # the root knows what a SystemExit in a handler means
            # By itself under hypercorn it would end the server with all its connections.
            raise RuntimeError(  # noqa: ASYNC104 - no Cancelled: that was raised above
                f"a view raised {type(error).__name__}"
            ) from error

    # In the worker thread.

    def _respond(self, scope: Scope, body: IO[bytes], exchange: Exchange) -> None:
        error: BaseException | None = None
        exchange.begin()
        exchange_here.set(exchange)
        try:
            with closing(body):
                self._answer(scope, body, exchange)
        except ClientGone:
            pass
        except BaseException as raised:
            if exchange.closed and isinstance(raised, asyncio.CancelledError):
                return  # noqa: ASYNC104 - cancelled by us, see _async.py
            error = raised
            raise
        finally:
            exchange.finish(error)
            del error

    def _answer(self, scope: Scope, body: IO[bytes], exchange: Exchange) -> None:
        response: HttpResponseBase | None = None
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        try:
            request, refusal = self.create_request(with_length(scope, body), body)
            response = refusal if request is None else self.get_response(request)
            assert response is not None
            cast("Any", response)._handler_class = type(self)  # noqa: SLF001  # as Django does
            self._hand_over(response, exchange, bodiless=scope["method"] == "HEAD")
        finally:
            if response is None:
                signals.request_finished.send(sender=type(self))
            else:
                response.close()

    def _hand_over(self, response: HttpResponseBase, exchange: Exchange, *, bodiless: bool) -> None:
        head = _head(response)
        if isinstance(response, HttpResponse):
            exchange.answer(head, b"" if bodiless else response.content)
            return
        exchange.start(head)
        if bodiless or response.status_code in (204, 304):
            return
        stream = cast("StreamingHttpResponse", response)
        if isinstance(stream, FileResponse):
            stream.block_size = self.chunk_size
        if stream.is_async:
            async_to_sync(write_stream)(stream, exchange)
        else:
            for chunk in cast("Iterator[bytes]", stream.streaming_content):
                exchange.write(chunk)


def _head(response: HttpResponseBase) -> Head:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    return Head(response.status_code, headers)


async def _began(job: Job[None], exchange: Exchange, receive: Receive) -> bool:
    """Wait until a thread has *job*; False if its client left before that."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_withdraw_without_client, job, exchange, receive, nursery.cancel_scope)
        await exchange.begun()
        nursery.cancel_scope.cancel()
    return job.state is not JobState.WITHDRAWN


async def _withdraw_without_client(
    job: Job[None], exchange: Exchange, receive: Receive, scope: trio.CancelScope
) -> None:
    await _client_leaves(receive)
    exchange.close()
    job.withdraw()
    scope.cancel()


async def _relay(exchange: Exchange, receive: Receive, send: Send) -> None:
    head = await _head_for(exchange, receive)
    if head is None:
        return  # the view's error is raised by the caller, or the client has gone
    start = {"type": "http.response.start", "status": head.status, "headers": head.headers}
    try:
        await send(start)
        if exchange.streams:
            await _relay_stream(exchange, receive, send)
        else:
            await _send_body(await exchange.next_chunk() or b"", send, last=True)
    except OSError:
        exchange.close()  # how a server tells that the client has gone


async def _head_for(exchange: Exchange, receive: Receive) -> Head | None:
    """Wait for the head; for an async view's only while the client is there."""
    if not await exchange.heeds_close():
        return await exchange.head()
    head: Head | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, exchange, receive, nursery.cancel_scope)
        head = await exchange.head()
        nursery.cancel_scope.cancel()
    return head


async def _relay_stream(exchange: Exchange, receive: Receive, send: Send) -> None:
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, exchange, receive, nursery.cancel_scope)
        try:
            while (chunk := await exchange.next_chunk()) is not None:
                await _send_body(chunk, send, last=False)
        except Exception as error:  # noqa: BLE001  # raised below, outside of the nursery
            failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        raise failed
    if exchange.complete:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch(exchange: Exchange, receive: Receive, scope: trio.CancelScope) -> None:
    await _client_leaves(receive)
    exchange.close()
    scope.cancel()


async def _client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_body(body: bytes, send: Send, *, last: bool) -> None:
    size = ASGIHandler.chunk_size
    for at in range(0, len(body) or 1, size):
        more = not last or at + size < len(body)
        chunk = body[at : at + size] if len(body) > size else body
        await send({"type": "http.response.body", "body": chunk, "more_body": more})


async def _refuse_loop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        raise RuntimeError(NOT_TRIO)
    await receive()
    if in_hypercorn_worker():
        leave(NOT_TRIO)
    await send({"type": "lifespan.startup.failed", "message": NOT_TRIO})


def django_application() -> DjangoApplication:
    """
    Return Django as an ASGI application for trio: ``Greenroom(http=django_application())``.

    It serves http scopes and, by itself, its own lifespan. Sets Django up and loads the
    middleware, so what is wrong with them shows at import.

    Raises:
        ImproperlyConfigured: there are no settings, or they are refused.
    """
    return DjangoApplication()
