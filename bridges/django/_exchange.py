# One response on its way from the view's worker thread to the request's task.
#
#   thread   begin(), then answer(), or start() and write() for each chunk; at last
#            finish(): exactly once
#   task     await head(), then next_chunk() until it is None; close() when the client
#            is gone or the request is cancelled
#
# Invariants, each with a test of that name in tests/bridges/django/test_exchange.py:
#   PRESSURE   the thread waits while HIGH_WATER bytes are unsent, so memory stays
#              bounded whatever the view yields and however slowly the client reads.
#   INERT      after close() whatever the thread still does reaches nobody; a write
#              raises ClientGone, so that the view's generator is closed.
#   ONE WAKE   a response that is no stream costs the loop one wake-up.
#   TOGETHER   small chunks that wait are sent as one; the first is never held back.
#
# A waiting thread gives its place in the pool away (Job.parked): eight clients that
# download slowly must not keep all others from being served. Turned down:
# trio.from_thread.run, which runs `send` in a system task, out of reach of the
# request's cancellation, and takes ten times as long.

import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import trio

from ...actors import current_job
from ...actors._lowlevel import LoopThread, Parker
from ...actors._serving import AsyncCall
from ...supervisor._request import current_slot
from ..asgiref import flavour_of

HIGH_WATER = 65536
"""Bytes that may wait unsent before the thread has to wait."""


class ClientGone(ConnectionError):
    """Nobody wants the rest of this response: the client left, or the request was cancelled."""


class Head(NamedTuple):
    """Status and headers of a response, ready for ASGI."""

    status: int
    headers: list[tuple[bytes, bytes]]


async def carried_out(call: AsyncCall) -> None:
    """Carry *call* out, and show meanwhile in the tree where, and which thread waits for it."""
    slot = current_slot()
    if slot is None:
        await call.carry_out()
    else:
        with slot.holding(flavour_of(call.function), call.name):
            await call.carry_out()


class Exchange:
    """
    The channel between one view and its request's task. Made on the loop's thread.
    """

    def __init__(self) -> None:
        self._loop = LoopThread.current()
        self._parker = Parker()
        self._changed = threading.Condition()  # guards all below
        self._head: Head | None = None
        self._chunks: list[bytes] = []
        self._unsent = 0
        self._queued = self._begun = False
        self._streams = self._ended = self._closed = self._task_waits = False
        self._call: AsyncCall | None = None  # the loop's
        self._watch_due = False  # the loop's
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ended" if self._ended else "open"
        return f"<Exchange {state}, {self._unsent} bytes unsent>"

    @property
    def ended(self) -> bool:
        """Whether the thread has called `finish`."""
        return self._ended

    @property
    def in_thread(self) -> bool:
        """Whether a thread has the request at the moment."""
        return self._begun

    @property
    def streams(self) -> bool:
        """Whether the response is a stream; known once `head` has returned."""
        return self._streams

    @property
    def closed(self) -> bool:
        """Whether nobody wants the rest."""
        return self._closed

    @property
    def complete(self) -> bool:
        """Whether the response ended as it should: all written, no error, not closed."""
        return self._ended and self._error is None and not self._closed

    # In the worker thread.

    def begin(self) -> None:
        """Say that a thread has the request now. Never blocks."""
        with self._changed:
            self._begun = True
            if self._queued:
                self._ring()  # else the task waits for more than this, see ONE WAKE

    def leave(self) -> None:
        """Say that the thread gives the request away, and another one will `begin` it again."""
        with self._changed:
            self._begun = False
            if self._watch_due:
                self._ring()

    def answer(self, head: Head, body: bytes) -> None:
        """Hand over a whole response. The task hears of it with `finish`. Never blocks."""
        with self._changed:
            self._head = head
            self._chunks.append(body)
            self._unsent = len(body)

    def start(self, head: Head) -> None:
        """Hand over the beginning of a stream, to be sent at once. Never blocks."""
        with self._changed:
            self._head = head
            self._streams = True
            self._ring()

    def hold(self, head: Head, chunk: bytes) -> None:
        """Hand over the beginning of a stream. The task hears of it with `finish`. Never blocks."""
        with self._changed:
            self._streams = True
        self.answer(head, chunk)

    def write(self, chunk: bytes) -> None:
        """
        Hand over the next bytes of a stream. Blocks while too many are unsent.

        Raises:
            ClientGone: the exchange is closed; nothing was taken.
        """
        while True:
            with self._changed:
                if self._closed:
                    raise ClientGone("the client has gone; the response is closed")
                if not chunk:
                    return  # but an endless stream of nothing ends, too
                if self._unsent < HIGH_WATER:
                    self._chunks.append(chunk)
                    self._unsent += len(chunk)
                    self._ring()
                    return
            self._wait_for_room()

    def finish(self, error: BaseException | None) -> None:
        """End the response; with *error* it is cut off. Never blocks. Behind `fail` it is inert."""
        with self._changed:
            if self._ended:
                return
            self._ended = True
            self._error = error
            self._ring()

    def _wait_for_room(self) -> None:
        job = current_job()
        parked: AbstractContextManager[None] = job.parked(self._has_room) if job else nullcontext()
        with parked, self._changed:
            self._changed.wait_for(self._has_room)

    def _has_room(self) -> bool:
        return self._closed or self._unsent < HIGH_WATER

    def _ring(self) -> None:
        if self._task_waits:
            self._task_waits = False
            try:
                self._loop.call_soon(self._parker.wake)
            except trio.RunFinishedError:
                self._closed = True  # nobody is left to send to

    # In the request's task.

    async def begun(self) -> None:
        """
        Wait until a thread has the request, again after `leave`, or `finish` was called.

        A checkpoint only if it has to wait; a cancellation leaves the exchange as it was.
        """
        self._queued = True
        while not self._settled_or_waiting(lambda: self._begun or self._ended):
            await self._parker.park()
        self._queued = False

    async def head(self) -> Head | None:
        """
        Wait for a stream to begin or the view to end; None if it ended without a response.

        A checkpoint only if it has to wait; a cancellation leaves the exchange as it was.
        """
        while not self._settled_or_waiting(self._has_head):
            await self._parker.park()
        return self._head

    def take_call(self, call: AsyncCall) -> None:
        """Have *call*, which the view's thread waits for, awaited by who waits here."""
        if self._closed:
            call.refuse("nobody wants this response any more")
        else:
            self._call = call
            self._parker.wake()

    def look_out(self) -> None:
        """Have who waits in `called` watch for a client that leaves. In the loop's thread."""
        self._watch_due = True
        self._parker.wake()

    async def called(self) -> Callable[[], Awaitable[object]] | None:
        """
        Wait for what `head` waits for, or for what is to be awaited while the client is there.

        That is a call of the thread, or `begun` once `look_out` was called and no thread has the
        request. A checkpoint only if it has to wait; a cancellation leaves the exchange as it was.
        """
        while not self._settled_or_waiting(self._has_head):
            if self._call is not None:
                return partial(carried_out, self._take_call())
            if self._watch_due and not self._begun:
                self._watch_due = False
                return self.begun
            await self._parker.park()
        return None

    async def next_chunk(self) -> bytes | None:
        """
        Return what the view wrote since the last call, joined; None at the end.

        What its thread calls meanwhile is awaited here. A checkpoint only if it has to wait; a
        cancellation loses nothing.
        """
        while not self._settled_or_waiting(lambda: bool(self._chunks) or self._ended):
            if self._call is not None:
                await carried_out(self._take_call())
            else:
                await self._parker.park()
        with self._changed:
            chunks, self._chunks = self._chunks, []
            if self._unsent >= HIGH_WATER:
                self._changed.notify_all()
            self._unsent = 0
        if len(chunks) == 1:
            return chunks[0]
        return b"".join(chunks) if chunks else None

    async def wait_ended(self) -> None:
        """Wait until the thread has called `finish`. What is unsent stays."""
        while not self._settled_or_waiting(lambda: self._ended):
            await self._parker.park()

    def close(self) -> None:
        """Say that nobody wants the rest. Never blocks; may be called again."""
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._unsent = 0
            self._changed.notify_all()
        if self._call is not None:
            self._take_call().refuse("nobody wants this response any more")

    def fail(self, error: BaseException) -> None:
        """
        End and close an exchange whose thread never ran, or is not waited for any more.

        What has ended is left alone: all of it is there to be sent.
        """
        with self._changed:
            if self._ended:
                return
            self._ended, self._error = True, error
            self._ring()
        self.close()

    def raise_error(self) -> None:
        """Raise what the view's thread raised, if anything. Not a checkpoint."""
        error, self._error = self._error, None
        if error is None:
            return
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def _take_call(self) -> AsyncCall:
        call, self._call = self._call, None
        assert call is not None
        return call

    def _has_head(self) -> bool:
        return self._streams or self._ended

    def _settled_or_waiting(self, settled: Callable[[], bool]) -> bool:
        with self._changed:
            if settled():
                return True
            self._task_waits = True
            return False
