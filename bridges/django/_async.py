# Async views and async streams: awaited by the request's task, on trio or on the asyncio loop.
#
# Both run in the context that the hop before them has left, so what a middleware sets is seen
# there, and what they set is seen by the hop behind. No thread is held meanwhile.

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar, cast

import trio
from django.http import StreamingHttpResponse

from ...actors._serving import in_context
from ..asgiref import Flavour, SideLoop, current_hops, flavour_of, hop_scope, is_patched
from ..asgiref._context import restore_context
from ._answer import Answer, Outcome, StreamToRead
from ._body import Send
from ._chain import Call
from ._iterators import close_iterators, flavour_of_stream
from ._relay import Left, send_body

T = TypeVar("T")

UNPATCHED = (
    "asgiref does not know trio here, see PATCH_ASGIREF in GREENROOM and `manage.py check`: what"
    " calls sync_to_async, as Django's async functions do, has to be marked @on_asyncio."
)


async def outcome_of(answer: Answer, call: Call, label: str) -> Outcome:
    """
    Await *call* on its loop, in the context of *answer*, and return how it ended.

    Raises:
        trio.Cancelled: The caller was cancelled; on asyncio, too, the call has ended then.
    """
    function = partial(call.function, *call.args, **call.kwargs)
    try:
        value = await _on(flavour_of(call.function), answer, function, label)
    except BaseException as error:  # noqa: ASYNC103 - but for a cancellation
        if _is_cancellation(error):
            raise
        return Outcome(error=error)  # noqa: ASYNC104 - no Cancelled; the thread raises it
    return Outcome(value)


async def send_stream(answer: Answer, stream: StreamToRead, send: Send, label: str) -> None:
    """
    Send what an async iterator yields, and close it, on its loop. A checkpoint.

    Raises:
        Exception: Whatever the iterator raises.
    """
    response = stream.response
    flavour = flavour_of_stream(response, stream.made_by)
    if flavour == "trio":
        await _on(flavour, answer, partial(_iterate, response, partial(_sent, send)), label)
    else:
        await _send_from_asyncio(answer, response, send, label)


def flavour_here(answer: Answer) -> Flavour | None:
    """Say on which loop *answer* is awaited now, for the tree; None if a thread has it."""
    pending = None if answer.in_thread else answer.pending
    if isinstance(pending, Call):
        return flavour_of(pending.function)
    if isinstance(pending, StreamToRead):
        return flavour_of_stream(pending.response, pending.made_by)
    return None


async def _on(
    flavour: Flavour, answer: Answer, function: Callable[[], Awaitable[T]], label: str
) -> T:
    here = partial(at_home, function)
    if flavour == "asyncio":
        here = partial(current_hops().side_loop.run, function, label=label)
    return await in_context(answer.context, here)


async def at_home(function: Callable[[], Awaitable[T]]) -> T:
    """Await *function* where its context has come from another thread, in a scope of its own."""
    restore_context(copy_context())
    with hop_scope():
        try:
            return await function()
        except RuntimeError as error:
            if str(error) == "no running event loop" and not is_patched():
                error.add_note(UNPATCHED)
            raise


async def _sent(send: Send, chunk: bytes) -> None:
    if chunk:
        await send_body(chunk, send, last=False)


async def _iterate(
    response: StreamingHttpResponse, deliver: Callable[[bytes], Awaitable[None]]
) -> None:
    content = cast("AsyncIterator[bytes]", response.streaming_content)
    try:
        async for chunk in content:
            await deliver(chunk)
    finally:
        with trio.move_on_after(GRACE, shield=True):
            await close_iterators(content, response)


async def _iterate_on_asyncio(
    side_loop: SideLoop, response: StreamingHttpResponse, to_trio: trio.MemorySendChannel[bytes]
) -> None:
    content = cast("AsyncIterator[bytes]", response.streaming_content)
    try:
        async for chunk in content:
            await side_loop.on_trio(partial(to_trio.send, chunk))
    finally:
        await close_iterators(content, response)  # noqa: ASYNC102 - on asyncio, which cancels once


async def _send_from_asyncio(
    answer: Answer, response: StreamingHttpResponse, send: Send, label: str
) -> None:
    to_trio, chunks = trio.open_memory_channel[bytes](0)
    failed: list[BaseException] = []
    side_loop = current_hops().side_loop

    async def iterate() -> None:
        async with to_trio:
            function = partial(_iterate_on_asyncio, side_loop, response, to_trio)
            try:
                await _on("asyncio", answer, function, label)
            except BaseException as error:  # noqa: ASYNC103 - but for a cancellation
                if _is_cancellation(error):
                    raise
                failed.append(error)  # noqa: ASYNC104 - no Cancelled; raised below

    async with trio.open_nursery() as nursery:
        nursery.start_soon(iterate)
        try:
            async for chunk in chunks:
                await _sent(send, chunk)
        except Left as error:  # the client has gone; raised below, outside of the nursery
            failed.insert(0, error)
            nursery.cancel_scope.cancel()
    if failed:
        raise failed[0]


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).subgroup(_OURS) is not None
    return isinstance(error, _OURS)


_OURS = (trio.Cancelled, GeneratorExit)
GRACE = 5.0
"""Seconds that an async iterator may take to close."""
