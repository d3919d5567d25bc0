# Scopes, held against those of hypercorn.

import inspect
import re

import pytest
from http_requests import get
from hypercorn.protocol import http_stream, ws_stream
from hypothesis import given
from hypothesis import strategies as st

from greenroom.bridges.http._head import read_head
from greenroom.bridges.http._request import Head, Limits
from greenroom.bridges.http._scope import http_scope, websocket_scope


def head(target: bytes = b"/") -> Head:
    """Return the head of a request for *target*."""
    return read_head(get("X: y", line=b"GET " + target + b" HTTP/1.1"), Limits())


def keys_in(stream: type) -> list[str]:
    """Return the keys of the scope that hypercorn's *stream* makes, from its source."""
    found = re.search(r"self\.scope = \{\n(.*?)\n            \}", inspect.getsource(stream), re.S)
    assert found
    return re.findall(r'^ {16}"(\w+)":', found[1], re.M)


def test_same_keys() -> None:
    """
    SAME KEYS: both scopes have the keys of hypercorn's, no more and no less.
    """
    assert sorted(http_scope(head())) == sorted(keys_in(http_stream.HTTPStream))
    assert sorted(websocket_scope(head())) == sorted(keys_in(ws_stream.WSStream))


def test_http() -> None:
    """
    The scope of a request says what its head and its connection say.
    """
    assert http_scope(
        head(b"/caf%C3%A9?a=%20"),
        scheme="https",
        client=("10.0.0.1", 1234),
        server=("10.0.0.2", 443),
        root_path="/sub",
        state={"pool": 1},
    ) == {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "scheme": "https",
        "path": "/café",
        "raw_path": b"/caf%C3%A9",
        "query_string": b"a=%20",
        "root_path": "/sub",
        "headers": [(b"host", b"a"), (b"x", b"y")],
        "client": ("10.0.0.1", 1234),
        "server": ("10.0.0.2", 443),
        "state": {"pool": 1},
        "extensions": {},
    }


def test_websocket() -> None:
    """
    The scope of a WebSocket has the subprotocols and can be denied with a response.
    """
    scope = websocket_scope(head(b"/ws"), scheme="wss", subprotocols=("a", "b"))

    assert scope["type"] == "websocket"
    assert scope["scheme"] == "wss"
    assert scope["subprotocols"] == ["a", "b"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope


@pytest.mark.parametrize("make", [http_scope, websocket_scope])
def test_never_shared(make: type) -> None:
    """
    NEVER SHARED: what one application writes into its scope is not in the next one's.
    """
    state = {"a": 1}
    first, second = make(head(), state=state), make(head(), state=state)
    for key, value in first.items():
        if isinstance(value, dict | list):
            assert value is not second[key]
    first["state"]["a"] = 2

    assert state == second["state"] == {"a": 1}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#")))
def test_never_raises(rest: str) -> None:
    """
    NEVER RAISES: every target that is let through has a path, also with broken escapes.
    """
    target = f"/%ff%e9{rest}".encode()
    scope = http_scope(head(target))

    assert scope["path"].startswith("/\ufffd\ufffd") or rest
    assert isinstance(scope["path"], str)
    assert target in (scope["raw_path"], scope["raw_path"] + b"?" + scope["query_string"])
