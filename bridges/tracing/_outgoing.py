# The span of an attempt to connect to a server elsewhere, and what that server is told of it.
#
# It is a client's, as of any HTTP request, and lasts from dialling to the answer: a connection may
# stand for weeks, and a span is seen only when it has ended. What comes over the connection is
# handled in traces of its own, each with a link to it.

import re
from collections.abc import Mapping
from typing import Any

from ...actors._life import Life
from ...actors._outgoing_port import Headers
from ._extra import context as contexts
from ._extra import propagate, trace
from ._span import Context, Kind, Span, Tracer
from ._words import of_dialling, of_place

_LONGEST = 8192
"""Bytes of headers to add; more is left out, for a server may refuse a head that is too large."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?")
_OF_THE_HANDSHAKE = re.compile(
    "host|upgrade|connection|content-length|transfer-encoding|sec-websocket-.*"
)
_APART = "baggage"  # which is no part of what says where in a trace one is


class Outgoing:
    """The span of one attempt of *life* to connect, below what is current where it is made."""

    __slots__ = ("_place", "_span", "_tracer", "_within", "carried")

    def __init__(self, tracer: Tracer, life: Life) -> None:
        self._tracer, self._place = tracer, of_place(life)
        self._within = contexts.get_current()
        self._span: Span = trace.INVALID_SPAN
        self.carried: Context = self._within
        """In which the span is current, once it has begun."""

    def begin(self, url: str, host: str, port: int, headers: Headers) -> Headers:
        """Begin it; return the headers that say so. See :class:`OutgoingPort`."""
        attributes = {**self._place, **of_dialling(url, host, port)}
        self._span = self._tracer.start("GET", Kind.CLIENT, attributes, within=self._within)
        self.carried = trace.set_span_in_context(self._span, self._within)
        return self._to_add({name.decode("latin1").lower() for name, _ in headers})

    def end(self, status: int, error: BaseException | None) -> None:
        """End it, with what is known of the answer. See :class:`OutgoingPort`."""
        tracer, span = self._tracer, self._span
        attributes: dict[str, str | int | bool] = {}
        if status:
            attributes["http.response.status_code"] = status
        if error is not None:  # its traceback might tell what the server has answered
            attributes["error.type"] = str(status or type(error.__cause__ or error).__qualname__)
            tracer.fail(span, str(error))
        elif not status:
            attributes["greenroom.outcome"] = "cancelled"
        tracer.note(span, attributes)
        tracer.end(span)

    def _to_add(self, own: set[str]) -> list[tuple[bytes, bytes]]:
        """Return what the project's propagators say; nothing in the place of *own*."""
        said: dict[str, Any] = {}
        try:
            propagate.inject(said, self.carried)
        except Exception:  # noqa: BLE001 - of the project's propagator
            self._tracer.untold()  # half of what they say may be that of another trace
            return []
        added: dict[str, tuple[bytes, bytes]] = {}
        for name, value in said.items():
            try:
                header = _header(name, value)
            except ValueError:
                self._tracer.untold()
                continue
            added[header[0].decode("ascii")] = header
        if not own.isdisjoint(added.keys() - {_APART}):  # half of a trace is that of another one
            added = {name: header for name, header in added.items() if name == _APART}
        for name in own:
            added.pop(name, None)
        if _size(added) > _LONGEST:
            added.pop(_APART, None)
        return list(added.values()) if _size(added) <= _LONGEST else []


def _size(added: Mapping[str, tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in added.values())


def _header(name: object, value: object) -> tuple[bytes, bytes]:
    if not (isinstance(name, str) and isinstance(value, str)):
        raise ValueError("a propagator has said what is no text")  # noqa: TRY004 - as the others
    name = name.lower()
    if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
        raise ValueError(f"what a propagator says as {name!r} is no header")
    if _OF_THE_HANDSHAKE.fullmatch(name):
        raise ValueError(f"a propagator says {name!r}, which is the handshake's own")
    return name.encode("ascii"), value.encode("ascii")
