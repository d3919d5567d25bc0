# What worker threads do of one request, a hop at a time; the request's task does the rest.
#
#   begin      all that is Django's; for a sync view that is all there is
#   go_on      behind an async view: its outcome goes up through the middleware
#   read       the next piece of a file
#   close      behind a stream that the task has read; or what is left of a request whose
#              client has gone
#
# Between two hops no thread is held. Context variables go along: the first hop leaves its
# context behind (`context`), the task runs the async code in it, and so does each later hop.

import io
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from functools import partial
from typing import IO, Any, NamedTuple, cast

from django.core import signals
from django.core.files.base import File
from django.core.handlers.asgi import get_script_prefix
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from ...actors import NobodyWaits
from ..asgiref._context import restore_context
from ._body import Scope, with_length
from ._chain import Call, Passage, passage, whole
from ._exchange import ClientGone, Exchange, Head

BLOCK_SIZE = 262144
"""Bytes of a file that one hop reads."""


class Outcome(NamedTuple):
    """How a `Call` ended."""

    value: Any = None
    error: BaseException | None = None


class FileToRead(NamedTuple):
    """A file whose beginning was read by the view's hop."""

    blocks: Iterator[bytes]


class StreamToRead(NamedTuple):
    """A response whose content is an async iterator."""

    response: StreamingHttpResponse
    made_by: object
    """The view, as far as it is known."""


Pending = Call | FileToRead | StreamToRead


class Answer:
    """One request on its way through Django. The threads' but for `discard` and `release`."""

    pending: Pending | None = None
    """What the request's task has to do before the next hop; None behind the last."""
    context: Context
    """Where that is done; there is one if there is something pending."""
    begun = False
    """Whether a thread has had it: request_started was sent."""
    in_thread = False
    """Whether a thread has it now; one that is abandoned ends it by itself."""
    closed = False
    """Whether the last hop is over: request_finished was sent."""
    cross: Callable[[Call], bool] | None = None
    """Asked whether it takes an async view over; then the exchange goes on with `go_on`."""

    def __init__(self, handler: Any, scope: Scope, body: IO[bytes]) -> None:
        self._handler, self._scope, self._body = handler, scope, body
        self._passage: Passage | None = None
        self._request: Any = None
        self._response: HttpResponseBase | None = None

    @property
    def route(self) -> str:
        """The pattern that its path matched, as `urls.py` has it; empty if none is known."""
        match = getattr(self._request, "resolver_match", None)
        return f"/{match.route}" if match is not None else ""

    def begin(self, exchange: Exchange) -> None:
        """Do all up to an async view, or up to the end."""
        with _Hop(self, exchange):
            set_script_prefix(get_script_prefix(self._scope))
            handler = self._handler
            signals.request_started.send(sender=type(handler), scope=self._scope)
            scope = with_length(self._scope, self._body)
            request, refusal = handler.create_request(scope, self._body)
            if request is None:
                self._hand_over(refusal, exchange)
                return
            layers = handler.layers
            self._request = request
            self._passage = (
                whole(handler, request) if layers is None else passage(handler, layers, request)
            )
            self._advance(self._passage.__next__, exchange)

    def go_on(self, outcome: Outcome, exchange: Exchange) -> None:
        """Go on behind an async view."""
        with _Hop(self, exchange):
            restore_context(copy_context())
            self.pending = None
            steps, error = self._passage, outcome.error
            assert steps is not None
            if error is None:
                self._advance(partial(steps.send, outcome.value), exchange)
            else:
                self._advance(partial(steps.throw, error), exchange)
            del error

    def read(self) -> bytes:
        """Read on in a file; behind its last byte, close. Empty at the end."""
        file = cast("FileToRead", self.pending)
        block = b""
        try:
            block = _read(file.blocks)
        finally:
            if len(block) < BLOCK_SIZE:
                self.close()
        return block

    def discard(self) -> None:
        """Let go of the body, if no thread has had it. In the request's task."""
        if not self.begun:
            self._body.close()

    def release(self) -> None:
        """Let go of the body, where no thread is left for more. In the request's task."""
        self._body.close()

    def close(self) -> None:
        """End the request, however far it has come."""
        if self.closed:
            return
        self.closed = True
        self.pending = None
        restore_context(copy_context())
        try:
            if self._passage is not None:
                self._passage.close()
        finally:
            try:
                if self._response is None:
                    signals.request_finished.send(sender=type(self._handler))
                else:
                    self._response.close()
            finally:
                self._body.close()

    def _advance(self, step: Callable[[], Call], exchange: Exchange) -> None:
        try:
            self.pending = step()
        except StopIteration as end:
            response = end.value
        else:
            return
        self._hand_over(response, exchange)  # here, so that what a stream raises has no context

    def _hand_over(self, response: HttpResponseBase, exchange: Exchange) -> None:
        self._response = response
        cast("Any", response)._handler_class = type(self._handler)  # noqa: SLF001  # as Django does
        head = _head(response)
        bodiless = self._scope["method"] == "HEAD"
        if isinstance(response, HttpResponse):
            exchange.answer(head, b"" if bodiless else response.content)
            return
        stream = cast("StreamingHttpResponse", response)
        if bodiless or response.status_code in (204, 304):
            exchange.hold(head, b"")
            return
        if isinstance(stream, FileResponse):
            stream.block_size = self._handler.chunk_size
        if stream.is_async:
            exchange.hold(head, b"")
            match = getattr(self._request, "resolver_match", None)
            self.pending = StreamToRead(stream, match and match.func)
        elif _may_be_read_by_hops(stream):
            self._begin_file(cast("FileResponse", stream), head, exchange)
        else:
            exchange.start(head)
            for chunk in cast("Iterator[bytes]", stream.streaming_content):
                exchange.write(chunk)

    def _begin_file(self, response: FileResponse, head: Head, exchange: Exchange) -> None:
        response.block_size = BLOCK_SIZE
        blocks = cast("Iterator[bytes]", response.streaming_content)
        block = _read(blocks)
        exchange.hold(head, block)
        if len(block) >= BLOCK_SIZE:
            self.pending = FileToRead(blocks)


class _Hop:
    """What is around a hop: it ends the request if nothing is pending, and tells the exchange."""

    __slots__ = ("_answer", "_exchange")

    def __init__(self, answer: Answer, exchange: Exchange) -> None:
        self._answer, self._exchange = answer, exchange

    def __enter__(self) -> None:
        self._answer.begun = self._answer.in_thread = True
        self._exchange.begin()

    def __exit__(self, kind: object, raised: BaseException | None, trace: object) -> bool:
        answer, exchange = self._answer, self._exchange
        error = raised
        try:
            if error is not None or exchange.closed:
                answer.pending = None
            pending = answer.pending
            if pending is None:
                answer.close()
            else:
                answer.context = copy_context()
                answer.in_thread = False
                cross = answer.cross  # the request's task takes it away when it waits no more
                if cross is not None and isinstance(pending, Call) and cross(pending):
                    return True
        except BaseException as worse:  # noqa: BLE001, ASYNC103 - the request's task raises it
            error = worse
        if isinstance(error, (ClientGone, NobodyWaits)):
            error = None
        answer.in_thread = False
        exchange.finish(error)
        try:
            return error is None
        finally:
            del error, raised


def _may_be_read_by_hops(stream: StreamingHttpResponse) -> bool:
    """Whether it is a file as Django reads it, that no middleware has put its hands on."""
    file = getattr(stream, "file_to_stream", None)
    blocks = cast("Any", stream)._iterator  # noqa: SLF001
    if not isinstance(file, (io.IOBase, File)) or type(blocks) is not _CALLED:
        return False
    return file.seekable()  # a pipe is not: what is in it must not wait for a whole block


_CALLED = type(iter(int, 1))


def _read(blocks: Iterator[bytes]) -> bytes:
    """Return BLOCK_SIZE bytes at least, or what is left."""
    read = next(blocks, b"")
    while len(read) < BLOCK_SIZE and (more := next(blocks, b"")):
        read += more
    return read


def _head(response: HttpResponseBase) -> Head:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("ascii"))
        for cookie in response.cookies.values()
    ]
    return Head(response.status_code, headers)
