# Django behind ASGI on trio: one hop into a worker thread for a sync view, two for an async one.
#
# Django's own ASGIHandler answers 500 to everything on trio. This one reads the body on
# the loop, then runs what is Django's in jobs on the views' threads: for a sync view signals,
# middleware, view, streaming and close in *one*, so that database connections, transactions
# and thread-locals behave as under WSGI, and in a copy of the request's context, so that
# nothing leaks into the next request. An async view is awaited by the request's task, on trio or
# on the asyncio loop beside it: the job ends at the view, and another goes on behind it.
#
#   _chain.py     Django's middleware taken apart, so that it can stop at an async view
#   _answer.py    what threads do of a request, hop by hop
#   _task.py      what the request's task does, between the hops
#   _legs.py      from a thread to the asyncio loop and back, without that task
#   _relay.py     what is sent, and the watch for a client that leaves
#   _lookout.py   when that watch is worth while
#   _async.py     async views and streams, on their loop
#
# Where the chain can't be taken apart (middleware that is a function, or async), Django's own is
# called in one job, and what it calls of async code is awaited by the request's task while the
# job's thread serves that code's sync calls, see actors/_serving.py.
#
# Sync iterators are streamed with back-pressure (Django's handler collects them into a
# list first). A disconnect is watched for while a request waits for a thread, so that an
# overloaded server does not work for clients that have given up, and while a stream or an
# async view runs; not while a sync view does: it can't be stopped.
#
# Invariants, each with a test of that name in tests/bridges/django/test_handler.py:
#   ONE HOP    middleware, view, iteration and close run in one thread, in that order.
#   FINISHED   request_finished is sent exactly once for each request_started, also when
#              the view raises SystemExit or the client leaves.
#   INERT      what an abandoned view does later reaches nobody.

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Protocol

import trio
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.utils.module_loading import import_string

from ...actors import PoolClosed, ThreadPool
from ...actors._lowlevel import inside_trio
from ...actors._workers import Workers
from ...supervisor import Options
from .. import asgiref
from ..asgiref import flavour_of
from ..asgiref._flavour import mark_of
from ..hypercorn._startup import in_hypercorn_worker, leave, refuse
from ..hypercorn._state import STATE
from ._answer import Answer
from ._body import Receive, Scope, Send, read_body
from ._chain import Layers, is_async, take_apart
from ._iterators import remember_iterator
from ._life import Life
from ._on_trio import teach_asgiref
from ._settings import load_options
from ._setup import require_django
from ._task import RequestTask

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

    layers: Layers | None = None
    """The middleware, if it could be taken apart."""

    def __init__(self) -> None:
        require_django()
        teach_asgiref()
        super().__init__()
        self._lives: list[Life] = []
        self._lone: Life | None = None  # without a lifespan
        self.rooted = False
        """Whether a root runs it, which knows what a SystemExit in a handler means."""

    def __repr__(self) -> str:
        lives = [*self._lives, *([] if self._lone is None else [self._lone])]
        requests = sum(len(life.exchanges) for life in lives)
        pools = ", ".join(repr(life.pool) for life in lives) or "no threads yet"
        return f"<DjangoApplication {requests} requests, {pools}>"

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the middleware of settings.MIDDLEWARE, always as a synchronous chain."""
        super().load_middleware(is_async=False)
        self.layers = take_apart(self)

    def adapt_method_mode(
        self,
        is_async: bool,
        method: Any,
        method_is_async: bool | None = None,
        debug: bool = False,
        name: str | None = None,
    ) -> Any:
        """Adapt a method as Django does; async middleware has one loop for all of the chain."""
        if method_is_async and not is_async:
            mark = _mark_of_middleware(method)
            if mark is not None:
                (asgiref.on_trio if mark == "trio" else asgiref.on_asyncio)(method)
            _refuse_trio_below_a_thread(method, "the async middleware of MIDDLEWARE")
        return super().adapt_method_mode(is_async, method, method_is_async, debug, name)

    def check_response(self, response: Any, callback: Any, name: str | None = None) -> None:
        """Check what a view has returned, as Django does."""
        super().check_response(response, callback, name)
        remember_iterator(response)

    def make_view_atomic(self, view: Any) -> Any:
        """Do as Django does; refuse a view for trio that Django itself would call on asyncio."""
        if self.layers is None:
            _refuse_trio_below_a_thread(view, f"the view {view!r}")
        return super().make_view_atomic(view)

    # Life.

    def lifespan(self, root: HasOptions) -> AbstractAsyncContextManager[None]:
        """
        Return the context in which the application runs, with the options of *root*.

        Entering starts the thread pool. Leaving waits up to ``shutdown_seconds`` for
        running views, and closes the threads' database connections.
        """
        self.rooted = True
        return self._open(root.options, root.pools, root)

    @asynccontextmanager
    async def _open(
        self, options: Options, listed: list[Workers], root: object = None
    ) -> AsyncGenerator[None, None]:
        life = Life(options, root)
        self._lives.append(life)
        listed.append(life.pool)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(life.lookout.run)
                yield
                nursery.cancel_scope.cancel()
        finally:
            self._lives.remove(life)
            with trio.CancelScope(shield=True):
                await life.pool.aclose(timeout=options.shutdown_seconds)
            for exchange in tuple(life.exchanges):
                exchange.fail(PoolClosed(life.pool.name, "a request"))

    def life(self, root: object = None) -> Life:
        """
        Return the life that *root* runs, else the newest of this loop.

        If the application is served by itself, without a lifespan, that begins now, with the
        first request.
        """
        for life in self._lives:  # one, nearly always: each request comes here
            if life.root is root and life.loop.is_here():
                return life
        for life in reversed(self._lives):
            if life.loop.is_here():
                return life
        if self._lone is None:
            self._lone = Life(load_options())
        return self._lone

    @property
    def pool(self) -> ThreadPool:
        """The views' threads of the newest life in this loop; of any, in a thread."""
        if self._lives and not inside_trio():
            return self._lives[-1].pool
        return self.life().pool

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
            # Django's own words.
            raise ValueError(f"Django can only handle ASGI/HTTP connections, not {scope['type']}.")

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        options = load_options()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_hops(options))
            await stack.enter_async_context(self._open(options, []))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        label = f"{scope['method']} {scope['path']!r:.200}"
        life = self.life(scope["state"].get(STATE) if "state" in scope else None)
        body = await read_body(receive, partial(life.pool.run, label=f"upload of {label}"))
        if body is not None:
            request = RequestTask(self, life, Answer(self, scope, body), label, receive, send)
            await request.run()


def _mark_of_middleware(chain: Any) -> asgiref.Flavour | None:
    """Return what the middleware of *chain*, the outermost first, is marked with; else None."""
    named = [import_string(name) for name in settings.MIDDLEWARE]
    marks: set[asgiref.Flavour | None] = {mark_of(each) for each in named}
    while chain is not None:
        inner = getattr(chain, "__wrapped__", chain)
        marks.add(mark_of(inner))
        chain = getattr(inner, "get_response", None)
    marks.discard(None)
    if len(marks) > 1:
        raise ImproperlyConfigured(
            "MIDDLEWARE has async middleware that is marked @on_trio and some that is marked"
            " @on_asyncio: all of it runs on one loop. Write one of them as sync middleware."
        )
    return marks.pop() if marks else None


def _refuse_trio_below_a_thread(function: Any, name: str) -> None:
    """Where Django calls *function* by asgiref's own async_to_sync, it runs on asyncio."""
    if asgiref.is_patched() or not is_async(function):
        return
    if flavour_of(function) == "trio":
        raise ImproperlyConfigured(
            f"asgiref does not know trio here, see PATCH_ASGIREF in GREENROOM and `manage.py"
            f" check`. So {name} can't run on trio below middleware that looks at responses, or is"
            " async. Mark it @on_asyncio."
        )


def _hops(options: Options) -> AbstractAsyncContextManager[asgiref.Hops]:
    return asgiref.open_hops(
        ThreadPool,
        threads=options.orm_threads,
        spare=options.parked_threads,
        listed=[],
        timeout=options.shutdown_seconds,
    )


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


def refuse_django_handler(http: object, where: str, remedy: str) -> None:
    """
    Refuse a handler of Django's own, and *django_application* without its brackets.

    Raises:
        TypeError: *http* is one of them. *where* begins the message, *remedy* ends it.
    """
    if http is django_application:
        refuse(f"{where}write django_application(), with the brackets.", TypeError)
    if isinstance(http, ASGIHandler) and not isinstance(http, DjangoApplication):
        name = type(http).__name__
        if name == "ASGIHandler":
            name = "get_asgi_application()"
        refuse(f"{where}Django's own {name} can't run on trio. Write {remedy}.", TypeError)
