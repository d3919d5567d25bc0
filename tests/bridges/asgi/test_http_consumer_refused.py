# HttpConsumer: what can't be sent, and who can't be served.

import re
from collections.abc import MutableMapping
from typing import Any

import pytest
from helpers import happened, requested, settle, watch

from greenroom.actors import Denied, HttpConsumer, handles
from greenroom.supervisor import Options


async def test_answered_twice_is_a_mistake() -> None:
    """
    A second answer is an error of the handler's; the first one stands.
    """

    class Twice(HttpConsumer):
        async def handle(self) -> None:
            self.respond(text="one")
            self.respond(text="two")

    async with requested(twice=Twice) as server:
        assert (await server.http("GET", "/twice")).body == b"one"
        assert "answered once" in str(happened(server, "slot.crashed")[0].facts["exception"])


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (lambda self: self.respond(99), "must be 200 to 599"),
        (lambda self: self.respond("200"), "a whole number"),
        (lambda self: self.respond(204, text="x"), "has no body"),
        (lambda self: self.respond(text="x", json=1), "one body"),
        (lambda self: self.respond(text=b"x"), "must be a str"),
        (lambda self: self.respond(json={1, 2}), "JSON serializable"),
        (lambda self: self.respond(json=float("nan")), "JSON compliant"),
        (lambda self: self.respond(headers=[("x y", "1")]), "no header of HTTP"),
        (lambda self: self.respond(headers={"x-name": "1"}), "headers are pairs"),
        (lambda self: self.respond(headers=[("x-name", 1)]), "str or bytes"),
        (lambda self: self.send("x"), r"send\(\) before start\(\)"),
        (lambda self: self.finish("x"), r"finish\(\) before start\(\)"),
        (lambda self: (self.start(), self.send()), "exactly one of"),
    ],
)
async def test_what_cannot_be_sent(answer: Any, wrong: str) -> None:
    """
    What no response can be is refused at the call, in the handler, and says why.
    """

    class Wrong(HttpConsumer):
        async def handle(self) -> None:
            try:
                answer(self)
            except (TypeError, ValueError, RuntimeError) as error:
                errors.append(str(error))
                raise

    errors: list[str] = []
    async with requested(wrong=Wrong) as server:
        await server.http("GET", "/wrong")
    (text,) = errors
    assert re.search(wrong, text)


async def test_inside_somebody_elses_middleware() -> None:
    """
    Behind a middleware the consumer joins the tree, as one node of it.
    """

    class Where(HttpConsumer):
        async def handle(self) -> None:
            tree = server.root.snapshot()
            node = tree.find("/connections")
            assert node is not None
            self.respond(json=[child.path for route in node.children for child in route.children])

    inner = Where.as_asgi()

    async def middleware(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    async with requested(where=middleware) as server:
        answer = await server.http("GET", "/where")
        assert answer.body == b'["/connections/where/2"]'


class Open(HttpConsumer):
    async def handle(self) -> None:
        self.start(200)
        self.send("begin")


async def test_too_many_connections() -> None:
    """
    Above max_connections a request gets 503 without a slot.
    """
    async with requested(open=Open, options=Options(max_connections=1)) as server:
        async with server.request("GET", "/open") as request:
            await request.receive()
            refused = watch(server, "connection.refused")
            assert (await server.http("POST", "/open", body=b"x" * 10**6)).status == 503
            await refused.until()
        await settle(lambda: server.root.connections.open == 0)


async def test_denied() -> None:
    """
    Denied in connect() answers with its status and its body; that is no crash.
    """

    class Guarded(HttpConsumer):
        async def connect(self) -> None:
            raise Denied(401, "Who are you?\n", [("WWW-Authenticate", "Bearer")])

        async def handle(self, body: bytes) -> None:
            raise AssertionError("never asked")

    async with requested(guarded=Guarded) as server:
        answer = await server.http("GET", "/guarded")
        assert (answer.status, answer.body) == (401, b"Who are you?\n")
        assert dict(answer.headers)[b"www-authenticate"] == b"Bearer"
        assert happened(server, "slot.crashed") == []


@pytest.mark.parametrize("written", ["def", "async def"])
async def test_denied_by_a_handler(written: str) -> None:
    """
    Denied in handle(), or in a message's handler that answers later, is the answer; no crash.
    """

    class Sync(HttpConsumer):
        def handle(self, body: bytes) -> None:
            raise Denied(404, "No such page.\n")

    class Async(HttpConsumer):
        async def handle(self, body: bytes) -> None:
            self.send_after(0, {"type": "late"})

        @handles("late")
        async def late(self) -> None:
            raise Denied(404, "No such page.\n")

    async with requested(page=Sync if written == "def" else Async) as server:
        answer = await server.http("GET", "/page")
        assert (answer.status, answer.body) == (404, b"No such page.\n")
        assert happened(server, "slot.crashed") == []
        assert len(happened(server, "slot.declined")) == 1


async def test_denied_too_late() -> None:
    """
    Denied behind the head of a response is a crash like any: the response is cut off.
    """

    class Page(HttpConsumer):
        async def handle(self, body: bytes) -> None:
            self.start(200)
            await self.send("half of it")
            raise Denied(404)

    async with requested(page=Page) as server:
        answer = await server.http("GET", "/page")
        assert (answer.status, answer.body, answer.complete) == (200, b"half of it", False)
        assert len(happened(server, "slot.crashed")) == 1
