# What the drivers refuse of an application, against two real servers: hypercorn's trio worker by
# itself, and with Greenroom's connection handler. A driver refuses what one of the two does.

import http.client
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from helpers import Routes

from greenroom.bridges.asgi import Application
from greenroom.bridges.hypercorn._in_process import serving
from greenroom.bridges.testing import serve
from greenroom.bridges.testing._slow import SlowReader

ACCEPT, CLOSE = {"type": "websocket.accept"}, {"type": "websocket.close"}
TEXT = {"type": "websocket.send", "text": "x"}
DENY = {"type": "websocket.http.response.start", "status": 403, "headers": []}
DENIED = {"type": "websocket.http.response.body", "body": b"no"}
HEAD = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"x"}
MORE = BODY | {"more_body": True}


def accepted(**fields: Any) -> list[dict[str, Any]]:
    """A message or a close with *fields*, behind an accept."""
    return [ACCEPT, fields]


def with_headers(event: dict[str, Any], headers: Any) -> list[dict[str, Any]]:
    """*event* with *headers*, and what ends it."""
    end = {"a": CLOSE, "h": DENIED}.get(event["type"][10], BODY)  # websocket.accept, .http...
    return [event | {"headers": headers}, end]


HEADERS: dict[str, Any] = {
    "none": [],
    "tuples": [(b"x-one", b"1")],
    "lists": [[b"x-one", b"1"]],
    "upper case": [(b"X-One", b"1")],
    "names of str": [("x-one", b"1")],
    "values of str": [(b"x-one", "1")],
    "values of int": [(b"x-one", 1)],
    "triples": [(b"x-one", b"1", b"2")],
    "a dict": {b"x-one": b"1"},
    "an int": 7,
    "pseudo": [(b":status", b"200")],
    "a space in a name": [(b"x one", b"1")],
    "an empty name": [(b"", b"1")],
    "a line end in a value": [(b"x-one", b"1\r\nx-two: 2")],
    "a zero byte": [(b"x-one", b"1\x00")],
    "a tab": [(b"x-one", b"1\t2")],
    "subprotocol": [(b"sec-websocket-protocol", b"v1")],
    "extensions": [(b"sec-websocket-extensions", b"x")],
    "the handshake's key": [(b"Sec-WebSocket-Accept", b"x")],
    "upgrade": [(b"upgrade", b"websocket")],
    "connection": [(b"connection", b"close")],
    "transfer-encoding": [(b"transfer-encoding", b"chunked")],
    "a control character": [(b"x-one", b"1\x01")],
    "a delete": [(b"x-one", b"1\x7f")],
    "a form feed": [(b"x-one", b"1\x0c2")],
    "spaces around": [(b"x-one", b" 1 ")],
    "latin": [(b"x-one", b"\xe9")],
    "bytearrays": [(bytearray(b"x-one"), bytearray(b"1"))],
    "None": None,
    "a str": "x",
    "an iterator": lambda: iter([(b"x-one", b"1")]),
}

WEBSOCKET: dict[str, list[Any]] = {
    "echo": [ACCEPT, TEXT, CLOSE],
    "bytes": accepted(type="websocket.send", bytes=b"x"),
    "a bytearray": accepted(type="websocket.send", bytes=bytearray(b"x")),
    "both": accepted(type="websocket.send", bytes=b"x", text="x"),
    "neither": accepted(type="websocket.send"),
    "both None": accepted(type="websocket.send", bytes=None, text=None),
    "text of bytes": accepted(type="websocket.send", text=b"x"),
    "text of int": accepted(type="websocket.send", text=7),
    "bytes of str": accepted(type="websocket.send", bytes="x"),
    "send first": [TEXT],
    "accept twice": [ACCEPT, ACCEPT],
    "close first": [CLOSE],
    "close twice at first": [CLOSE, CLOSE],
    "send behind a close": [ACCEPT, CLOSE, TEXT],
    "accept behind a close": [CLOSE, ACCEPT],
    "accept behind its close": [ACCEPT, CLOSE, ACCEPT],
    "an unknown type": [{"type": "websocket.x"}],
    "no type": [{}],
    "a type of HTTP": [HEAD],
    "offered": [ACCEPT | {"subprotocol": "v1"}],
    "not offered": [ACCEPT | {"subprotocol": "v2"}],
    "code": accepted(type="websocket.close", code=4000, reason="x"),
    "code of str": accepted(type="websocket.close", code="x"),
    "code None": accepted(type="websocket.close", code=None),
    "reason None": accepted(type="websocket.close", code=1000, reason=None),
    "reason of bytes": accepted(type="websocket.close", code=1000, reason=b"x"),
    "denial": [DENY, DENIED],
    "denial in pieces": [DENY, DENIED | {"more_body": True}, DENIED],
    "denial without a start": [DENIED],
    "denial twice": [DENY, DENY],
    "denial and accept": [DENY, ACCEPT],
    "accept and denial": [ACCEPT, DENY],
    "denial goes on": [DENY, DENIED, DENIED],
    "denial's status of str": [DENY | {"status": "x"}, DENIED],
    "denial's body of str": [DENY, DENIED | {"body": "x"}],
    "text of a surrogate": accepted(type="websocket.send", text="\ud800"),
    "no text": accepted(type="websocket.send", text=""),
    "no bytes": accepted(type="websocket.send", bytes=b"", text=None),
    "no bytes, and a text": accepted(type="websocket.send", bytes=b"", text="x"),
    "a memoryview": accepted(type="websocket.send", bytes=memoryview(b"x")),
    "bytes of list": accepted(type="websocket.send", bytes=[120]),
    "bytes of int": accepted(type="websocket.send", bytes=7),
    "subprotocol of bytes": [ACCEPT | {"subprotocol": b"v1"}],
    "subprotocol of int": [ACCEPT | {"subprotocol": 7}],
    "subprotocol of nothing": [ACCEPT | {"subprotocol": ""}],
    "subprotocol None": [ACCEPT | {"subprotocol": None}, TEXT],
    "code True": accepted(type="websocket.close", code=True),
    "code of digits": accepted(type="websocket.close", code="4000"),
    "code of float": accepted(type="websocket.close", code=4000.0),
    **{
        f"code {code}": accepted(type="websocket.close", code=code)
        for code in (-1, 0, 999, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000, 70000)
    },
    "code 1005, with a reason": accepted(type="websocket.close", code=1005, reason="x"),
    "reason of 123": accepted(type="websocket.close", code=4000, reason="x" * 123),
    "reason of 124": accepted(type="websocket.close", code=4000, reason="x" * 124),
    "reason of 62 umlauts": accepted(type="websocket.close", code=4000, reason="\xe4" * 62),
    "reason of a surrogate": accepted(type="websocket.close", code=4000, reason="\ud800"),
    "reason of int": accepted(type="websocket.close", code=4000, reason=7),
    "code of str at first": [CLOSE | {"code": "x"}],
    "code 5000 at first": [CLOSE | {"code": 5000}],
    "reason of bytes at first": [CLOSE | {"reason": b"x"}],
    "close twice": [ACCEPT, CLOSE, CLOSE],
    "denial without headers": [{"type": "websocket.http.response.start", "status": 403}, DENIED],
    "denial without a status": [{"type": "websocket.http.response.start", "headers": []}, DENIED],
    "denial without a body": [DENY, {"type": "websocket.http.response.body"}],
    "denial's body None": [DENY, DENIED | {"body": None}],
    "denial's status None": [DENY | {"status": None}, DENIED],
    "denial's status True": [DENY | {"status": True}, DENIED],
    "denial's status of digits": [DENY | {"status": "403"}, DENIED],
    **{
        f"denial's status {status}": [DENY | {"status": status}, DENIED]
        for status in (100, 101, 200, 204, 304, 599, 600, 1000)
    },
    "denial, then close": [DENY, CLOSE],
    "denial, then text": [DENY, TEXT],
    "denial, then HTTP": [DENY, BODY],
    "denial's length is too short": [
        DENY | {"headers": [(b"content-length", b"1")]},
        DENIED,
    ],
    "denial's length is too long": [
        DENY | {"headers": [(b"content-length", b"9")]},
        DENIED,
    ],
    "denial's length is kept": [
        DENY | {"headers": [(b"content-length", b"4")]},
        DENIED | {"more_body": True},
        DENIED,
    ],
    "denial of 204 with a length": [
        DENY | {"status": 204, "headers": [(b"content-length", b"9")]},
        DENIED,
    ],
    "a str": ["x"],
    "None": [None],
    "a list": [[]],
    **{f"accept, headers: {name}": with_headers(ACCEPT, value) for name, value in HEADERS.items()},
    **{f"denial, headers: {name}": with_headers(DENY, value) for name, value in HEADERS.items()},
}

HTTP: dict[str, list[Any]] = {
    "answer": [HEAD, BODY],
    "pieces": [HEAD, MORE, MORE, BODY],
    "empty": [HEAD, {"type": "http.response.body"}],
    "body first": [BODY],
    "start twice": [HEAD, HEAD],
    "body behind the end": [HEAD, BODY, BODY],
    "start behind the end": [HEAD, BODY, HEAD],
    "body of str": [HEAD, BODY | {"body": "x"}],
    "body of int": [HEAD, BODY | {"body": 7}],
    "body None": [HEAD, BODY | {"body": None}],
    "a bytearray": [HEAD, BODY | {"body": bytearray(b"x")}],
    "a memoryview": [HEAD, BODY | {"body": memoryview(b"x")}],
    "status of str": [HEAD | {"status": "x"}, BODY],
    "status of digits": [HEAD | {"status": "200"}, BODY],
    "no status": [{"type": "http.response.start"}, BODY],
    "no headers": [{"type": "http.response.start", "status": 200}, BODY],
    "status 100": [HEAD | {"status": 100}, BODY],
    "status 204": [HEAD | {"status": 204}, {"type": "http.response.body"}],
    "status 999": [HEAD | {"status": 999}, BODY],
    "status 1000": [HEAD | {"status": 1000}, BODY],
    "an unknown type": [{"type": "http.x"}],
    "no type": [{}],
    "a type of WebSockets": [ACCEPT],
    "too long a body": [HEAD | {"headers": [(b"content-length", b"1")]}, BODY | {"body": b"xx"}],
    "trailers": [HEAD | {"trailers": True}, BODY, {"type": "http.response.trailers"}],
    "a body behind trailers": [HEAD | {"trailers": True}, BODY, BODY],
    "early hints": [{"type": "http.response.early_hint", "links": []}],
    "push": [{"type": "http.response.push", "path": "/", "headers": []}],
    "too short a body": [HEAD | {"headers": [(b"content-length", b"2")]}, BODY],
    "too long a second piece": [HEAD | {"headers": [(b"content-length", b"1")]}, MORE, BODY],
    "more than a length for 204": [
        HEAD | {"status": 204, "headers": [(b"content-length", b"1")]},
        BODY | {"body": b"xx"},
    ],
    "status of float": [HEAD | {"status": 200.0}, BODY],
    "status True": [HEAD | {"status": True}, BODY],
    "status None": [HEAD | {"status": None}, BODY],
    **{f"status {status}": [HEAD | {"status": status}, BODY] for status in (0, 101, 103, 199, 304)},
    "more_body of str": [HEAD, BODY | {"more_body": "x"}, BODY],
    "more_body None": [HEAD, BODY | {"more_body": None}],
    "body of list": [HEAD, BODY | {"body": [120]}],
    "nothing but a start": [HEAD],
    "a str": ["x"],
    "None": [None],
    "a list": [[]],
    "a body for 204": [HEAD | {"status": 204}, BODY],
    "length of spaces": with_headers(HEAD, [(b"content-length", b" 1 ")]),
    "length below 0": with_headers(HEAD, [(b"content-length", b"-1")]),
    "length of other digits": with_headers(HEAD, [(b"content-length", "\u0661".encode())]),
    "length of many digits": [
        HEAD | {"headers": [(b"content-length", b"1" * 20)]},
        MORE,
    ],
    "length and chunks": [
        HEAD | {"headers": [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]},
        BODY,
    ],
    "length twice": with_headers(HEAD, [(b"content-length", b"1"), (b"content-length", b"1")]),
    "length of letters": with_headers(HEAD, [(b"content-length", b"x")]),
    **{f"headers: {name}": with_headers(HEAD, value) for name, value in HEADERS.items()},
}

PROBES = {("websocket", name): events for name, events in WEBSOCKET.items()} | {
    ("http", name): events for name, events in HTTP.items()
}
Outcome = str


def made(event: Any) -> Any:
    """*event*, its headers anew where they can be read only once."""
    headers = event.get("headers") if isinstance(event, dict) else None
    return event | {"headers": headers()} if callable(headers) else event


class Prober:
    """An application that sends what a probe says, and notes what was refused first."""

    connection_limits = None  # hypercorn by itself, unless another application is around it

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self._numbers = list(PROBES)

    def path(self, probe: tuple[str, str]) -> str:
        return f"/probe/{self._numbers.index(probe)}"

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        probe = self._numbers[int(scope["path"].rpartition("/")[2])]
        await receive()
        self.outcomes[probe] = "all taken"
        for number, event in enumerate(PROBES[probe]):
            try:
                await send(made(event))
            except trio.Cancelled:
                raise
            except Exception:
                self.outcomes[probe] = f"event {number} refused"
                return


async def against_server(application: Any, prober: Prober) -> None:
    # It ends when all applications have, so all outcomes are there then.
    async with serving(application) as port:
        for probe in PROBES:
            await trio.to_thread.run_sync(ask, port, probe, prober.path(probe))


def ask(port: int, probe: tuple[str, str], path: str) -> None:
    """Open what *probe* is about, and stay until the server has ended it."""
    if probe[0] == "websocket":
        url = f"ws://127.0.0.1:{port}{path}"
        reader = SlowReader(url, headers={"Sec-WebSocket-Protocol": "v1"}, timeout=5)
        try:
            with reader:
                reader.drain()
        except Exception:
            return  # a server may break off: it is about what the application was told
        return
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        connection.getresponse().read()
    except (OSError, OverflowError, http.client.HTTPException):
        return
    finally:
        connection.close()


async def against_driver(prober: Prober) -> None:
    async with serve(prober) as server:
        for probe in PROBES:
            if probe[0] == "http":
                await server.http("GET", prober.path(probe))
            else:
                client = server.dial(prober.path(probe), subprotocols=["v1"])
                await client.application_done.wait()


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], tuple[Outcome, Outcome, Outcome]]:
    """What hypercorn, the handler and the driver make of each probe."""
    plain, handler, driver = Prober(), Prober(), Prober()
    trio.run(against_server, plain, plain)
    wrapped = Application(http=handler, router=Routes({"probe": handler}))
    trio.run(against_server, wrapped, handler)
    trio.run(against_driver, driver)
    return {
        probe: (plain.outcomes[probe], handler.outcomes[probe], driver.outcomes[probe])
        for probe in PROBES
    }


def test_outcomes(outcomes: Any) -> None:
    """
    The driver refuses what one of the two servers does, at the same event, and nothing else.
    """
    wrong = {}
    for probe, (plain, handler, driver) in outcomes.items():
        if driver != min(plain, handler, key=lambda each: (each == "all taken", each)):
            wrong[probe] = f"hypercorn: {plain}; with the handler: {handler}; driver: {driver}"
    assert not wrong, "\n".join(f"{probe}: {what}" for probe, what in wrong.items())


def test_probes_can_tell_the_servers_apart(outcomes: Any) -> None:
    """
    Both servers take some probes and refuse others, and do not agree on all of them.
    """
    for server in (0, 1):
        assert {each[server] == "all taken" for each in outcomes.values()} == {True, False}
    assert any(plain != handler for plain, handler, _ in outcomes.values())
