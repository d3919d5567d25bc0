# The request's task: it sends the hops of an Answer to the views' threads, one after the other,
# and does between them what holds no thread.

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import trio

from ...actors import PoolClosed
from ...supervisor._request import current_slot
from ._answer import Answer, StreamToRead
from ._async import flavour_here, outcome_of, send_stream
from ._body import Message, Receive, Send
from ._chain import Call
from ._exchange import Exchange
from ._legs import Legs
from ._life import Life
from ._relay import Left, relay, send_body, watched

if TYPE_CHECKING:
    from ._handler import DjangoApplication

T = TypeVar("T")

logger = logging.getLogger("greenroom.django")


class RequestTask:
    """One request, from the body on to its end."""

    def __init__(
        self,
        application: DjangoApplication,
        life: Life,
        answer: Answer,
        label: str,
        receive: Receive,
        send: Send,
    ) -> None:
        self._application, self._answer, self._label = application, answer, label
        self._life, self._pool = life, life.pool  # even if it closes meanwhile
        self._receive, self._send = receive, send

    async def run(self) -> None:
        """
        Answer the request. A checkpoint.

        Cancelled, or without its client, it ends the request in a thread, for which it waits
        up to ``shutdown_seconds``.
        """
        answer = self._answer
        if (slot := current_slot()) is not None:
            slot.awaits = partial(flavour_here, answer)
        try:
            await self._hop(answer.begin)
            if answer.pending is not None:
                await self._go_on()
        except Left:
            pass
        finally:
            if answer.begun and not (answer.closed or answer.in_thread):
                await self._give_up()  # noqa: ASYNC102 - has both inside
            if slot is not None:
                slot.awaits = None  # it may live for longer, and request and response with it
                slot.route = answer.route

    async def _go_on(self) -> None:
        answer = self._answer
        while (pending := answer.pending) is not None:
            if isinstance(pending, Call):
                call = partial(outcome_of, answer, pending, self._label)
                outcome = await watched(self._receive, call)
                del call, pending
                go_on = partial(answer.go_on, outcome)
                del outcome
                await self._hop(partial(answer.context.run, go_on))
                del go_on
            elif isinstance(pending, StreamToRead):
                await self._stream(pending)
            else:
                await self._file()

    async def _stream(self, stream: StreamToRead) -> None:
        send = partial(send_stream, self._answer, stream, self._send_or_leave, self._label)
        await watched(self._receive, send)
        await self._send_or_leave({"type": "http.response.body", "body": b"", "more_body": False})
        await self._in_thread(self._answer.close)

    async def _file(self) -> None:
        # The end is sent outside of the watch: hypercorn's `receive` tells of a disconnect while
        # it still sends that, and a cancelled `send` would leave the connection open for ever.
        last = await watched(self._receive, self._all_but_the_last)
        await send_body(last, self._send_or_leave, last=True)

    async def _all_but_the_last(self) -> bytes:
        while True:
            block = await self._in_thread(self._answer.read)
            if self._answer.closed:
                return block
            await send_body(block, self._send_or_leave, last=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        run = partial(self._answer.context.run, work)
        return await self._pool.run(run, label=self._label)

    async def _send_or_leave(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:  # so a server may tell that the client has gone
            raise Left from error

    async def _give_up(self) -> None:
        answer = self._answer
        with trio.move_on_after(self._life.shutdown_seconds, shield=True):
            try:
                # In a copy: an async view that was cancelled in vain may be in the other.
                close = partial(answer.context.copy().run, answer.close)
                await self._pool.run(close, label=self._label)
            except PoolClosed:
                pass  # told below
            except Exception:  # something else is raised already, or nobody is there to hear it
                logger.exception("the end of %s raised", self._label)
        if not answer.closed:
            logger.warning("%s was cut off: no thread was free to end it", self._label)
            answer.release()

    async def _hop(self, work: Callable[[Exchange], None]) -> None:
        life, answer, exchange = self._life, self._answer, Exchange()
        legs = Legs(answer, exchange, self._pool, self._label)
        answer.cross = legs.cross
        try:
            legs.start(work)
        except BaseException:
            answer.discard()
            raise
        life.exchanges.add(exchange)
        life.lookout.add(exchange)
        try:
            await relay(exchange, life.lookout, answer, self._receive, self._send)
        finally:
            life.lookout.discard(exchange)
            if not exchange.ended:
                exchange.close()
                if not legs.stop():
                    with trio.move_on_after(life.shutdown_seconds, shield=True):
                        await exchange.wait_ended()
                    if not exchange.ended:
                        legs.abandon()
            elif exchange.closed:  # its pool closed, while it was elsewhere
                legs.stop()
            life.exchanges.discard(exchange)
            if legs.withdrawn:
                answer.discard()
            answer.cross = None
            del legs, work
        self._raise_error(exchange)
        if exchange.closed:
            raise Left

    def _raise_error(self, exchange: Exchange) -> None:
        try:
            exchange.raise_error()
        except Exception:
            raise
        except BaseException as error:
            if self._application.rooted and not isinstance(error, asyncio.CancelledError):
                raise  # the root knows what a SystemExit in a handler means
            # By itself under hypercorn it would end the server with all its connections.
            raise RuntimeError(  # noqa: ASYNC104 - no Cancelled: that was raised above
                f"a view raised {type(error).__name__}"
            ) from error
