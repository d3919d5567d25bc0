# A consumer outside of supervision, as Channels runs all of them: the client's messages and the
# layer's, one at a time, and what a handler raises goes to the caller.
#
# So test communicators call it, applications of somebody else, `runworker`, and, below a slot of
# its own, each HTTP request. That one differs from Channels where that could not be made to work:
# the client's leaving is seen while `handle` runs, and a response may be ended later.

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from typing import Any

import trio

from ...actors import current_job
from ...actors._lowlevel import LoopThread, inside_trio, start_system_task
from ..asgi._app import root_of
from ..asgiref import on_trio
from ..asgiref._side_loop import side_loop_here
from ..django._on_trio import teach_asgiref
from ._channel import Channel, called
from ._on_asyncio import (
    HOME,
    NO_LOOP_ERRORS,
    AsyncioTasks,
    is_made_on_loop,
    names_the_switch,
    new_consumer,
    runs_on_asyncio,
)
from ._own_call import calling_loop, serve_from_asyncio
from ._rest import REST
from ._sources import Source, dispatch_all
from .exceptions import StopConsumer

logger = logging.getLogger("greenroom.channels")

SECONDS_TO_END = 5.0
"""How long cleaning up may take."""

NOT_TRIO = (
    "{name} was called on an event loop that is not trio's. Serve it with `hypercorn -k trio`; in"
    " tests, use the communicators of greenroom.bridges.channels.testing: they work on asyncio."
)


async def serve_new(
    consumer_class: Any, initkwargs: dict[str, Any], scope: Any, receive: Any, send: Any
) -> None:
    """Serve one *scope* with a new consumer to its end. A checkpoint."""
    if not (inside_trio() and is_made_on_loop(consumer_class)):
        await new_consumer(consumer_class, initkwargs)(scope, receive, send)
        return

    async def make() -> Any:  # noqa: ASYNC124 - what the loop awaits is a coroutine
        return consumer_class(**initkwargs)

    tasks = AsyncioTasks(consumer_class.__qualname__)
    try:
        consumer = await tasks.run(make)
        await consumer(scope, receive, send)
    finally:
        await tasks.end(SECONDS_TO_END)  # noqa: ASYNC102 - it is shielded, with a deadline


async def serve(consumer: Any, scope: Any, receive: Any, send: Any, get_layer: Any) -> None:
    """Serve one *scope* with *consumer* to its end. A checkpoint."""
    name = type(consumer).__qualname__
    if not inside_trio():
        loop = calling_loop()
        if loop is None:
            raise RuntimeError(NOT_TRIO.format(name=name))

        async def here(receive: Any, send: Any) -> None:
            await serve(consumer, scope, receive, send, get_layer)

        await serve_from_asyncio(loop, here, receive, send)
        return
    teach_asgiref()
    tasks = AsyncioTasks(name) if runs_on_asyncio(type(consumer)) else None
    run = tasks.run if tasks else called
    channel = Channel(get_layer(consumer.channel_layer_alias))
    try:
        await channel.open(run)
        channel.adopt()
        channel.give_to(consumer)
        sender = Sender(send)
        consumer.scope = scope
        consumer.base_send = sender.in_thread if consumer._sync else sender  # noqa: SLF001
        serving = _Serving(consumer, sender, run)
        sources: list[Source] = [partial(serving.receive, receive)]
        if channel.name is not None:
            sources.append(channel.receiver(run))
        await serving.run(sources)
    finally:
        if tasks is not None:
            await tasks.end(SECONDS_TO_END)  # noqa: ASYNC102 - it is shielded, with a deadline
        channel.forget()


class Sender:
    """The ``send`` of one scope, for whichever thread; knows how far a response has come."""

    def __init__(self, send: Callable[[Any], Awaitable[None]]) -> None:
        self._send = send
        self._loop = LoopThread.current()
        self._home = HOME.get()
        self._turn: asyncio.Lock | None = None
        self.unfinished = False
        """Whether a response was begun, and not ended."""
        self.finished = False
        """Whether it was ended."""

    async def __call__(self, message: Any) -> None:
        """Send *message*. A checkpoint as the server's ``send`` is."""
        self._note(message)
        if inside_trio():
            await self._send(message)
        elif (loop := self._home or side_loop_here()) is not None:
            if self._turn is None:
                self._turn = asyncio.Lock()
            async with self._turn:  # tasks of asyncio send in the order in which they began
                await loop.on_trio(partial(self._send, message))
        else:
            raise RuntimeError("send() was awaited on an event loop that is not the consumer's own")

    def in_thread(self, message: Any) -> None:
        """Send *message* from a worker thread, and wait until that is done."""
        if inside_trio():
            raise RuntimeError(
                "send() of a SyncConsumer waits, so it can't be called on trio's thread: call it in"
                " a handler, or make it an AsyncConsumer."
            )
        job = current_job()
        if job is not None:
            job.run_async(on_trio(partial(self, message)))
        else:
            self._wait_for(message)

    def _wait_for(self, message: Any) -> None:
        """Have *message* sent by the loop, for a thread of the user's own."""
        sent: Future[None] = Future()

        async def send() -> None:
            try:
                await self._send(message)
            except trio.Cancelled:
                sent.set_exception(RuntimeError("the run of trio is over"))
                raise
            except BaseException as error:  # noqa: BLE001, ASYNC103 - the thread raises it
                sent.set_exception(error)
            else:
                sent.set_result(None)

        self._note(message)
        self._loop.call_soon(start_system_task, send, "greenroom, send() of a thread")
        sent.result()

    def _note(self, message: Any) -> None:
        kind = message.get("type", "")
        if kind == "http.response.start":
            self.unfinished = True
        elif kind == "http.response.body" and not message.get("more_body"):
            self.unfinished, self.finished = False, True


class _Serving:
    """One scope that is served: what is dispatched, and what of a request is to be seen to."""

    def __init__(self, consumer: Any, sender: Sender, run: Any) -> None:
        self._consumer, self._sender, self._run = consumer, sender, run
        self._is_http = consumer.scope.get("type") == "http"
        self._hears_end = self._is_http and hasattr(consumer, "http_disconnect")
        self._begun = self._told = False
        self._handling: trio.CancelScope | None = None
        self._rest = REST.get() or nullcontext()

    async def run(self, sources: list[Source]) -> None:
        """Dispatch to the end. What is raised is the caller's, but for StopConsumer."""
        try:
            if self._is_http:  # its client may leave while it is handled
                await dispatch_all(sources, self._one, ahead=sources[:1])
            else:
                await dispatch_all(sources, self._dispatch)
        except StopConsumer:
            pass
        finally:
            if self._hears_end and self._begun:
                await self._tell_end()  # noqa: ASYNC102 - it is shielded, with a deadline

    async def receive(self, receive: Callable[[], Awaitable[Any]]) -> Any:
        """Return the client's next message. If it has left, `handle` is cancelled."""
        message = await receive()
        gone = message.get("type") == "http.disconnect"
        if gone and self._handling is not None and not self._sender.finished:
            self._handling.cancel()
        return message

    async def _dispatch(self, message: Any) -> None:
        consumer = self._consumer
        try:
            with self._rest:
                await self._run(partial(consumer.dispatch, message))
        except NO_LOOP_ERRORS as error:
            named = names_the_switch(error, type(consumer).__qualname__)
            if named is None:
                raise
            raise named from error

    async def _one(self, message: Any) -> None:
        """Dispatch one message of a request, or of the layer to it."""
        if message.get("type") == "http.disconnect":
            self._told = True
            await self._dispatch(message)
            raise StopConsumer  # nothing more can come, whether its handler says so or not
        self._begun = True
        with self._rest:  # a test goes on when the end was told as well
            await self._handle(message)

    async def _handle(self, message: Any) -> None:
        try:
            with trio.CancelScope() as self._handling:
                await self._dispatch(message)
            self._handling = None
            if self._hears_end and self._sender.finished:
                raise StopConsumer
        except StopConsumer:
            if self._hears_end:
                await self._tell_end()  # noqa: ASYNC120 - cancelled, that is what counts
            raise

    async def _tell_end(self) -> None:
        """
        Have ``disconnect`` run, if it has not yet.

        What it raises is logged; without a tree, as in a test, it is raised if nothing else is.
        """
        if self._told:
            return
        self._told = True
        before = sys.exception()
        with trio.move_on_after(SECONDS_TO_END, shield=True):
            try:
                await self._dispatch({"type": "http.disconnect"})
            except StopConsumer:
                pass
            except Exception:
                failed = not isinstance(before, StopConsumer | None)
                if not failed and root_of(self._consumer.scope) is None:
                    raise
                logger.exception("%s: cleaning up failed", type(self._consumer).__qualname__)
