# The span of one connection: a request from its head to the end of its answer, a WebSocket from its
# handshake to its close. All that the connection's actor does is below it.
#
# Its trace is the one that the client names in `traceparent`. Where a middleware of
# OpenTelemetry's stands outside, its span is the connection's; and where Django's own
# instrumentation makes the spans of requests, only a consumer's request has one of ours, which
# begins with its slot.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ...supervisor._request import RequestSlot, current_slot
from ._extra import Getter, propagate, trace
from ._extra import context as contexts
from ._span import Context, Kind, Span, Tracer, is_valid
from ._words import method_of, of_request

if TYPE_CHECKING:
    from ...supervisor._slot import Slot
    from ._slot import TracedSlot

Scope = MutableMapping[str, Any]
Serve = Callable[[Scope, Any, Any], Awaitable[None]]

connection_here: ContextVar[ConnectionSpan | None] = ContextVar(
    "greenroom_connection_span", default=None
)
"""Which connection the calling task serves."""

_ANSWERED = "greenroom.answered"  # where bridges/asgi leaves the status of who had no slot
_UNNAMED = ("http", "websocket")  # what stands in the path of a request whose route has no name


class ConnectionSpan:
    """The span of the connection with *scope*. Its task's own, but for `span`."""

    __slots__ = ("_slot", "_tokens", "_tracer", "_visited", "own", "scope", "span")

    def __init__(self, tracer: Tracer, scope: Scope) -> None:
        self._tracer, self.scope = tracer, scope
        self.span: Span = trace.INVALID_SPAN
        self.own = False
        """Whether the span was made here."""
        self._slot: TracedSlot | None = None
        self._visited: Slot | None = None
        self._tokens: list[Any] = []

    def begin(self) -> None:
        """Begin it, and make it current in this task; or take the one that is there."""
        outer = trace.get_current_span()
        if getattr(outer, "kind", None) is Kind.SERVER and outer.is_recording():
            self.span = outer
            return
        within = self._named_by_client(outer)
        attributes = of_request(self.scope)
        self.span = self._tracer.start(
            method_of(self.scope), Kind.SERVER, attributes, within=within
        )
        self.own = True
        self._tokens.append(contexts.attach(trace.set_span_in_context(self.span, within)))

    def _named_by_client(self, outer: Span) -> Context:
        if is_valid(outer) and not outer.is_recording():  # an outer one that was not sampled
            return contexts.get_current()
        try:
            named = propagate.extract(self.scope["headers"], getter=HEADERS)
        except Exception:  # noqa: BLE001 - of the project's propagator
            self._tracer.failed()
            return contexts.get_current()
        # A span of the project's own may stand around it, which has read no headers.
        below = is_valid(outer) and not is_valid(trace.get_current_span(named))
        return contexts.get_current() if below else named

    def serve(self, slot: TracedSlot) -> None:
        """Take note of the slot that serves it."""
        self._slot = slot
        if not is_valid(self.span):
            self.begin()

    def visit(self, slot: Slot) -> None:
        """Take note of the slot that it has come for, and which another connection has begun."""
        self._visited = slot
        if not is_valid(self.span):
            self.begin()

    def end(self, request: RequestSlot | None, status: int, error: BaseException | None) -> None:
        """End it, with what is known of the answer."""
        for token in reversed(self._tokens):
            contexts.detach(token)
        slot, self._slot = self._slot, None  # which holds this one: no cycle
        visited, self._visited = self._visited, None
        if not self.own:
            return
        route, attributes, failed = self._answer(request, slot, status)
        if visited is not None:
            route = visited.path.split("/")[2]
            attributes |= {
                "greenroom.path": visited.path,
                "greenroom.actor": visited.actor.__qualname__,
            }
        if route:
            attributes["http.route"] = route
            self._rename(f"{method_of(self.scope)} {route}")
        self._tracer.note(self.span, attributes)
        if failed and error is None:
            self._tracer.fail(self.span, failed)
        self._tracer.end(self.span, error)

    def _answer(
        self, request: RequestSlot | None, slot: TracedSlot | None, status: int
    ) -> tuple[str, dict[str, str | int | bool], str]:
        """Return the route, the attributes of the answer, and why it is a failure."""
        route, failed = "", ""
        attributes: dict[str, str | int | bool] = {}
        if request is not None:
            named = request.path.split("/")[2]
            route = request.route or ("" if named in _UNNAMED else named)
            status = status or request.status
            attributes["greenroom.path"] = request.path
        if slot is not None:
            output: Any = slot.connection
            route = slot.path.split("/")[2]
            attributes["greenroom.path"] = slot.path
            attributes["greenroom.actor"] = slot.actor.__qualname__
            if self.scope["type"] == "websocket":
                status = 101 if output.opened else output.denied or 403
                attributes["greenroom.close_code"] = output.code or 1006
            else:
                status = status or getattr(output, "status", 0)
            if slot.fault is not None:
                failed = slot.end or "crashed"
        status = status or self.scope.get(_ANSWERED, 0)
        if status:
            attributes["http.response.status_code"] = status
        if status >= 500 and not failed:
            failed = str(status)
        if failed:
            attributes["error.type"] = str(status) if status >= 500 else "crash"
        return route, attributes, failed

    def _rename(self, name: str) -> None:
        try:
            self.span.update_name(name)
        except Exception:  # noqa: BLE001 - of the project's own span
            self._tracer.failed()

    def __deepcopy__(self, memo: dict[int, object]) -> ConnectionSpan:
        return self


async def follow(
    tracer: Tracer, serve: Serve, scope: Scope, receive: Any, send: Any, *, lazy: bool
) -> None:
    """
    Await ``serve(scope, receive, send)`` in the span of its connection. A checkpoint as it is.

    Args:
        tracer: Makes it.
        serve: What serves the connection, in this task.
        scope: Its ASGI scope.
        receive: Handed on.
        send: Handed on.
        lazy: Whether it begins only with the slot of a consumer.
    """
    span = ConnectionSpan(tracer, scope)
    token, before = connection_here.set(span), current_slot()
    failed: BaseException | None = None
    try:
        if not lazy:
            span.begin()
        await serve(scope, receive, send)
    except BaseException as error:
        failed = error
        raise
    finally:
        request = current_slot()
        connection_here.reset(token)
        span.end(request if request is not before else None, status_of(send), failed)
        del failed  # its traceback holds this frame: no cycle


def status_of(send: Any) -> int:
    """Return the status of the answer, where our own connection has sent it; else 0."""
    status = getattr(getattr(send, "__self__", None), "status", 0)
    return status if isinstance(status, int) else 0


class Headers(Getter[Any]):
    """Reads the headers of an ASGI scope; those of one name together, as HTTP has it."""

    def get(self, carrier: Iterable[tuple[bytes, bytes]], key: str) -> list[str] | None:
        """Return the values of the header *key*; None if there is none."""
        wanted = key.lower().encode("latin1", "replace")
        return [value.decode("latin1") for name, value in carrier if name.lower() == wanted] or None

    def keys(self, carrier: Iterable[tuple[bytes, bytes]]) -> list[str]:
        """Return the names of all headers."""
        return [name.decode("latin1").lower() for name, _ in carrier]


HEADERS = Headers()
