# What a server takes of an application, and when: pure, one object for each connection.
#
# The rule: an event is refused if hypercorn's trio worker refuses it, by itself or with
# Greenroom's connection handler. tests/bridges/testing/test_rules.py sends the same events to both
# and to the drivers. What neither refuses is taken here, too, wise or not.

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ._errors import ProtocolViolation

_NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NO_VALUE_OF_ACCEPT = re.compile(rb"[\0\n\v\f\r]")
_RESERVED = frozenset(
    (
        b"connection", b"content-length", b"sec-websocket-accept", b"sec-websocket-extensions",
        b"sec-websocket-protocol", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip
_LENGTH = re.compile(rb"[0-9]{1,19}")
_REGISTERED = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))
_NO_CODE = 1005
_NEXT: dict[str, dict[str, str]] = {
    "websocket.accept": {"connecting": "open"},
    "websocket.http.response.start": {"connecting": "refusing"},
    "websocket.http.response.body": {"refusing": "refusing"},
    "websocket.send": {"open": "open"},
    "websocket.close": {"connecting": "closed", "open": "closed"},
}
"""Where each event of the application leads, from where it is taken."""


class WebsocketRules:
    """
    What one WebSocket has come to.

    Args:
        subprotocols: What the client has offered.
    """

    def __init__(self, subprotocols: Iterable[str] = ()) -> None:
        self.state = "connecting"
        """``connecting``, ``open``, ``refusing`` (a denial is under way) or ``closed``."""
        self._subprotocols = subprotocols
        self._denial: Mapping[str, Any] | None = None  # held back until its body begins
        self._length: Length

    def take(self, event: Mapping[str, Any]) -> None:
        """
        Go on with *event* of the application.

        Raises:
            ProtocolViolation: A server would refuse it; nothing has changed.
        """
        kind = _type_of(event)
        state = _NEXT.get(kind, {}).get(self.state)
        if state is None:
            raise ProtocolViolation(
                f"the application sent {kind!r} while the socket was {self.state}"
            )
        if kind == "websocket.accept":
            self._check_accept(event)
        elif kind == "websocket.send":
            _check_message(event)
        elif kind == "websocket.close":
            if self.state == "open":  # else it is a 403, and says nothing
                _check_close(event)
        elif kind == "websocket.http.response.start":
            self._denial = event
        elif kind == "websocket.http.response.body":
            self._take_denial(event)
            state = self.state if event.get("more_body") else "closed"
        self.state = state

    def _take_denial(self, body: Mapping[str, Any]) -> None:
        if self._denial is not None:
            if "headers" not in self._denial:
                raise ProtocolViolation("a websocket.http.response.start needs headers, or []")
            _check_start(self._denial)
            bodiless = self._denial["status"] in (204, 304)
            self._length = Length(self._denial, bodiless=bodiless)
            self._denial = None
        _check_body(body)
        self._length.take(len(body.get("body", b"")), more=bool(body.get("more_body")))

    def _check_accept(self, event: Mapping[str, Any]) -> None:
        chosen = event.get("subprotocol")
        if chosen is not None and chosen not in self._subprotocols:
            raise ProtocolViolation(f"the application chose subprotocol {chosen!r}, not offered")
        _check_headers(event, _NO_VALUE_OF_ACCEPT, _RESERVED)
        for name, value in event.get("headers", ()):
            if value != value.strip(b" \t"):
                raise ProtocolViolation(
                    f"the value of {name!r} must not begin or end with a space"
                    f" ({event['type']}). Got: {value!r}"
                )


_EXPECTED = {
    "nothing": "http.response.start",
    "the start": "http.response.body",
    "the body": "http.response.trailers",
}
"""What may come behind what was sent of a response; the last if trailers were announced."""


class HttpRules:
    """
    What one response has come to.

    Args:
        method: Of the request.
        trailers: Whether the server takes them, which those of HTTP/1.1 do not.
    """

    def __init__(self, method: str = "GET", *, trailers: bool = False) -> None:
        self._may_trail = trailers
        self.bodiless = method == "HEAD"
        """Whether a server sends none of the body: the method or the status has none."""
        self._length: Length
        self.state = "nothing"
        """``nothing``, ``the start``, ``the body`` or ``the end``: what was sent last."""
        self._trailers = False

    def take(self, event: Mapping[str, Any]) -> None:
        """
        Go on with *event* of the application.

        Raises:
            ProtocolViolation: A server would refuse it; nothing has changed.
        """
        kind = _type_of(event)
        if _EXPECTED.get(self.state) != kind:
            raise ProtocolViolation(f"the application sent {kind!r} after {self.state}")
        if kind == "http.response.start":
            _check_start(event)
            self.bodiless = self.bodiless or event["status"] in (204, 304)
            self._length = Length(event, bodiless=self.bodiless)
            self.state = "the start"
            self._trailers = self._may_trail and bool(event.get("trailers", False))
        elif kind == "http.response.trailers":
            _check_headers(event)
            self.state = "the end"
        else:
            _check_body(event)
            self._length.take(len(event.get("body", b"")), more=event.get("more_body", False))
            if not event.get("more_body", False):
                self.state = "the body" if self._trailers else "the end"


class Length:
    """
    How much of the length that *start* declares has not come yet.

    Args:
        start: Of the response.
        bodiless: Whether none of the body is sent, so that any will do.
    """

    def __init__(self, start: Mapping[str, Any], *, bodiless: bool) -> None:
        declared = _declared(start)
        self._left = None if bodiless else declared

    def take(self, size: int, *, more: object) -> None:
        """
        Take a piece of *size* bytes, behind which *more* comes or not.

        Raises:
            ProtocolViolation: The body is too long by it, or ends too soon.
        """
        if self._left is None:
            return
        if size > self._left:
            raise ProtocolViolation(
                f"the body is longer than its Content-Length: {size} bytes came where"
                f" {self._left} were left"
            )
        if size < self._left and not more:
            raise ProtocolViolation(
                f"the body is shorter than its Content-Length by {self._left - size} bytes"
            )
        self._left -= size


def settled(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *event* with headers that can be read more than once: a server takes an iterator."""
    headers = event.get("headers") if isinstance(cast("object", event), Mapping) else None
    if not isinstance(headers, Iterator):
        return event
    return {**event, "headers": list(cast("Iterator[object]", headers))}


def _declared(event: Mapping[str, Any]) -> int | None:
    values = [
        value for name, value in event.get("headers", ()) if name.lower() == b"content-length"
    ]
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0].strip(b" \t")):
        raise ProtocolViolation(f"content-length must be one number, given once. Got: {values!r}")
    return int(values[0])


def _type_of(event: Mapping[str, Any]) -> str:
    if not isinstance(cast("object", event), Mapping):
        raise ProtocolViolation(f"the application sent an event that is no dict. Got: {event!r}")
    kind = event.get("type")
    if not isinstance(kind, str):
        raise ProtocolViolation(f"the application sent an event without a type: {dict(event)!r}")
    return kind


def _check_message(event: Mapping[str, Any]) -> None:
    text, data = event.get("text"), event.get("bytes")
    right = (
        isinstance(text, str) if data is None else isinstance(data, (bytes, bytearray, memoryview))
    )
    if not right or (text is not None and data is not None):
        raise ProtocolViolation(
            "a websocket.send needs text (str) or bytes (bytes), one of them."
            f" Got: text={text!r:.80}, bytes={data!r:.80}"
        )
    if data is None:
        _check_encodes(cast("str", text), "the text of a websocket.send")


def _check_encodes(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ProtocolViolation(f"{what} can't be sent as UTF-8: {error}") from None


def _check_close(event: Mapping[str, Any]) -> None:
    code, reason = event.get("code", 1000), event.get("reason")
    if not isinstance(code, int):
        raise ProtocolViolation(f"the code of a websocket.close must be an int. Got: {code!r}")
    if not _is_code(code) and (code != _NO_CODE or reason):
        raise ProtocolViolation(
            "the code of a websocket.close must be one that may be sent: 1000, one that is"
            f" registered, or 3000 to 4999 for your own. Got: {code!r}"
        )
    if reason is not None and not isinstance(reason, str):
        raise ProtocolViolation(f"the reason of a websocket.close must be a str. Got: {reason!r}")
    _check_encodes(reason or "", "the reason of a websocket.close")


def _is_code(code: int) -> bool:
    return code in _REGISTERED or 3000 <= code <= 4999


def _check_start(event: Mapping[str, Any]) -> None:
    status = event.get("status")
    if not isinstance(status, int) or not 200 <= status <= 999:
        raise ProtocolViolation(
            f"the status of a {event['type']} must be an int from 200 to 999. Got: {status!r}"
        )
    _check_headers(event)


def _check_body(event: Mapping[str, Any]) -> None:
    body = event.get("body", b"")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise ProtocolViolation(
            f"the body of a {event['type']} must be bytes. Got: {type(body).__name__}"
        )


def _check_headers(
    event: Mapping[str, Any],
    no_value: re.Pattern[bytes] = _NO_VALUE,
    forbidden: frozenset[bytes] = frozenset(),
) -> None:
    headers = event.get("headers", ())
    try:
        pairs = [tuple(pair) for pair in cast("Iterable[Iterable[object]]", headers)]
    except TypeError:
        raise ProtocolViolation(
            f"the headers of a {event['type']} must be pairs of bytes. Got: {headers!r}"
        ) from None
    for pair in pairs:
        if len(pair) != 2 or not all(type(each) is bytes for each in pair):
            raise ProtocolViolation(
                f"a header of a {event['type']} must be a pair of bytes. Got: {pair!r}"
            )
        name, value = cast("tuple[bytes, bytes]", pair)
        if name.lower() in forbidden:
            raise ProtocolViolation(
                f"{name!r} can't be a header of {event['type']}: the handshake sets it itself."
                " A subprotocol is said by subprotocol=."
            )
        _check_header(event["type"], name, value, no_value)


def _check_header(kind: str, name: bytes, value: bytes, no_value: re.Pattern[bytes]) -> None:
    if not name or any(byte not in _TOKEN for byte in name):
        raise ProtocolViolation(f"a header's name must be a token ({kind}). Got: {name!r}")
    if no_value.search(value):
        raise ProtocolViolation(
            f"the value of {name!r} must not hold control characters ({kind}). Got: {value!r}"
        )


_TOKEN = frozenset(b"!#$%&'*+.^_`|~-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
