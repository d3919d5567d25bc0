"""What the consumers of HTTP have in common: the request, and a whole response to it."""

from __future__ import annotations

import json as _json
from collections.abc import Awaitable, Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final, cast
from urllib.parse import parse_qsl

from .._awaitables import DONE
from .._life import Life
from ._consumer import Consumer, Headers
from ._http_port import header_list, response_of
from ._identity import with_session


class _Unset:
    def __repr__(self) -> str:
        return "<nothing>"


UNSET: Final[object] = _Unset()
"""Stands for a value that was left out, where None is one."""

_NO_BODY = (204, 205, 304)


class RequestConsumer(Consumer, runtime=True):
    """
    The base of consumers of HTTP requests.

    Not subclassed by users: they write an :class:`HttpConsumer` or an
    :class:`EventStreamConsumer`.
    """

    protocols: ClassVar[frozenset[str]] = frozenset({"http"})

    # No values here: what a class does not set is the tree's option of that name.
    body_bytes: ClassVar[int]
    """The largest body of a request that is taken as a whole; more is answered with 413."""

    @property
    def method(self) -> str:
        """The request's method, in upper case."""
        return cast("str", self.scope["method"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers by their names in lower case; of repeated ones all, with commas."""
        found: dict[str, str] = {}
        for name, value in cast("Iterable[tuple[bytes, bytes]]", self.scope["headers"]):
            key, text = name.decode("latin-1"), value.decode("latin-1")
            separator = "; " if key == "cookie" else ", "
            found[key] = f"{found[key]}{separator}{text}" if key in found else text
        return MappingProxyType(found)

    @property
    def query(self) -> Mapping[str, str]:
        """The query string's parameters, decoded; of repeated ones the last."""
        raw = cast("bytes", self.scope.get("query_string", b"")).decode("latin-1")
        return MappingProxyType(dict(parse_qsl(raw, keep_blank_values=True)))

    def respond(
        self,
        status: int = 200,
        *,
        text: str | None = None,
        bytes: bytes | bytearray | memoryview | None = None,
        json: object = UNSET,
        headers: Headers = (),
        content_type: str | None = None,
    ) -> Awaitable[None]:
        """
        Answer with a whole response, at the call; the slot ends when the running handler does.

        Args:
            status: 200 to 599.
            text: The body, in UTF-8; ``text/plain`` if *content_type* says nothing else.
            bytes: The body as it is; ``application/octet-stream`` likewise.
            json: What is written as JSON; ``application/json`` likewise.
            headers: Further headers; a content-length is there already.
            content_type: Of the body.

        Awaiting it is no checkpoint.

        Raises:
            Disconnected: The client has gone, or was answered.
            RuntimeError: The response was begun with another call.
            TypeError: More than one body was given, or one of another type.
            ValueError: A status or header that can't be sent, a body with 204 or 304, or one that
                is not as long as a content-length among *headers* says.
            Stale: This incarnation is over.
        """
        life = self._acting()
        body, kind = _body_of(text, bytes, json)
        refuse_bad_status(status)
        listed = with_session(response_of(self), header_list(headers))
        names = {name for name, _ in listed}
        if status in _NO_BODY:
            if body:
                raise ValueError(f"a response with status {status} has no body. Got: {len(body)} B")
        else:
            kind = content_type or kind
            if kind and b"content-type" not in names:
                listed.insert(0, (b"content-type", kind.encode("latin-1")))
            if b"content-length" not in names:
                listed.append((b"content-length", str(len(body)).encode()))
        response_of(self).respond(status, listed, body)
        self._answered(life)
        return self._answer(DONE)

    def _answered(self, life: Life) -> None:
        life.answered()
        life.host.request_stop("answered", patient=True)


def refuse_bad_status(status: object) -> None:
    """Refuse what is no status of a final response."""
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"a status is a whole number. Got: {status!r}")
    if not 200 <= status <= 599:
        raise ValueError(f"a status must be 200 to 599. Got: {status!r}")


def json_of(content: object) -> str:
    """
    Return *content* as JSON.

    Raises:
        TypeError: It holds what JSON can't.
        ValueError: It holds a number that JSON can't: NaN, an infinity.
    """
    return _json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _body_of(text: object, data: object, json: object) -> tuple[bytes, str]:
    given = [
        name
        for name, value, nothing in (
            ("text", text, None),
            ("bytes", data, None),
            ("json", json, UNSET),
        )
        if value is not nothing
    ]
    if len(given) > 1:
        raise TypeError(f"a response has one body. Got: {' and '.join(given)}")
    if text is not None:
        if not isinstance(text, str):
            raise TypeError(f"text must be a str. Got: {type(text).__name__}")
        return text.encode(), "text/plain; charset=utf-8"
    if data is not None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"bytes must be bytes-like. Got: {type(data).__name__}")
        return bytes(cast("bytes", data)), "application/octet-stream"
    if json is not UNSET:
        return json_of(json).encode(), "application/json"
    return b"", ""
