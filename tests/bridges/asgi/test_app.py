# The application that a server is given: lifespan, routes, refusals, and no leaks.

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from helpers import Routes, happened, running

from greenroom.actors import Actor, WebsocketConsumer
from greenroom.bridges.asgi import Application, ConsumerApplication, Match
from greenroom.bridges.asgi._app import NO_LIFESPAN, NOT_TRIO, consumer_of
from greenroom.bridges.asgi._routing import route_name
from greenroom.bridges.testing import HandshakeRefused, StartupFailed, serve
from greenroom.supervisor import Options, Root, current_root


class Echo(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


async def answer(application: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Give *scope* to *application* without a server, and return what it sends."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{scope['type']}.connect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await application(scope, receive, send)
    return sent


async def test_a_consumer_alone_is_a_server() -> None:
    """
    Chat.as_asgi() answers lifespan, serves every path, and has a tree of its own.
    """
    application = Echo.as_asgi()
    assert repr(application) == "<Echo.as_asgi()>"
    async with serve(application) as server:
        for path in ("/", "/any/path?x=1"):
            async with server.websocket(path) as ws:
                ws.send_text("hi")
                assert await ws.receive() == "hi"
                assert ws.slot.path.startswith("/connections/echo/")
        assert (await server.http("GET", "/")).status == 404


async def test_arguments_of_as_asgi_reach_each_incarnation() -> None:
    """
    What as_asgi() is given is given to __init__, also after a crash.
    """

    class Greeter(WebsocketConsumer):
        def __init__(self, word):
            self.word = word

        async def receive(self, text):
            await self.send(text=self.word)

    async with serve(Greeter.as_asgi(word="hello")) as server, server.websocket("/") as ws:
        ws.crash()
        await ws.wait_restarted()
        ws.send_text("x")
        assert await ws.receive() == "hello"


async def test_a_consumer_inside_another_application_joins_its_tree() -> None:
    """
    A route may hold the class, its as_asgi(), or any ASGI application around it: one tree.
    """

    async def wrapper(scope, receive, send):
        await Echo.as_asgi()(scope, receive, send)

    async with running(plain=Echo, asgi=Echo.as_asgi(), wrapped=wrapper) as server:
        for name in ("plain", "asgi", "wrapped"):
            async with server.websocket(f"/{name}") as ws:
                ws.send_text("hi")
                assert await ws.receive() == "hi"
        opened = [event.path for event in happened(server, "connection.opened")]

    assert opened == ["/connections/plain/1", "/connections/asgi/2", "/connections/echo/4"]


async def test_the_route_is_in_the_scope() -> None:
    """
    What the router captured is the consumer's kwargs, and the scope's url_route.
    """
    seen: list[Any] = []

    class Look(Echo):
        async def connect(self, message):
            seen.extend([self.kwargs, self.scope["url_route"], self.scope["path"]])
            await self.accept()

    class LookRoute:
        def match(self, scope):
            return Match(Look, {"room": "lobby"}, args=(7,))

    async with serve(Application(router=LookRoute())) as server, server.websocket("/x"):
        pass

    assert seen == [{"room": "lobby"}, {"args": (7,), "kwargs": {"room": "lobby"}}, "/x"]


async def test_an_unknown_path_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """
    An unknown WebSocket path is a denial with 404, an event, and one line for debugging.
    """
    caplog.set_level(logging.DEBUG)
    async with running(chat=Echo) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/nowhere"):
                pass

        assert (refused.value.status, refused.value.body) == (404, b"No WebSocket here.\n")
        (event,) = happened(server, "connection.unknown")
        assert event.facts == {"reason": "no route", "url": "/nowhere"}
    (line,) = [record for record in caplog.records if "no route" in record.message]
    assert (line.levelno, line.exc_info) == (logging.DEBUG, None)


async def test_http_without_an_application_is_not_found() -> None:
    """
    Without an HTTP application every request gets 404; the request was a slot of the tree.
    """
    async with running() as server:
        answered = await server.http("GET", "/x")
        assert (answered.status, answered.body, answered.complete) == (404, b"Not Found\n", True)


async def test_without_lifespan_everything_is_refused() -> None:
    """
    A server that starts no lifespan gets 503 with Retry-After and the reason, for both kinds.
    """
    application = Application(router=Routes({"chat": Echo}))
    for state in ({}, {"state": {}}):
        base = {"path": "/chat", "method": "GET", "headers": []} | state
        (start, body) = await answer(application, base | {"type": "http"})
        assert start["status"] == 503
        assert (b"retry-after", b"5") in start["headers"]
        assert body["body"].decode() == f"{NO_LIFESPAN}\n"

        denial = {"extensions": {"websocket.http.response": {}}}
        (start, _) = await answer(application, base | {"type": "websocket"} | denial)
        assert start["status"] == 503
        (close,) = await answer(application, base | {"type": "websocket"})
        assert close["type"] == "websocket.close"


def test_another_loop_than_trio_fails_the_startup() -> None:
    """
    Under asyncio lifespan is answered with startup.failed and the command to use instead.
    """
    application = Application(router=Routes({"chat": Echo}))
    (failed,) = asyncio.run(answer(application, {"type": "lifespan"}))
    assert failed == {"type": "lifespan.startup.failed", "message": NOT_TRIO}
    assert "hypercorn -k trio" in NOT_TRIO

    base = {"type": "http", "path": "/", "method": "GET", "headers": []}
    (start, body) = asyncio.run(answer(application, base))
    assert (start["status"], body["body"].decode()) == (503, f"{NOT_TRIO}\n")


async def test_a_resident_that_fails_fails_the_startup() -> None:
    """
    startup.failed carries the child's path and what it raised; no exception leaves.
    """

    class Bad(Actor):
        def started(self):
            raise ValueError("no radio")

    with pytest.raises(StartupFailed, match="/residents/bad failed to start: ValueError: no radio"):
        async with serve(Application(children=[Bad])):
            pytest.fail("it started")


async def test_anything_that_fails_at_the_start_fails_the_startup() -> None:
    """
    An engine or HTTP application that fails to start is answered, not raised.
    """

    def engine() -> Any:
        raise OSError("no redis")

    async def http(scope, receive, send): ...

    @asynccontextmanager
    async def lifespan(root):
        raise OSError("no pool")
        yield

    http.lifespan = lifespan  # type: ignore[attr-defined]
    for application, expected in (
        (Application(engine=engine), "no redis"), (Application(http=http), "no pool"),
    ):  # fmt: skip
        with pytest.raises(StartupFailed, match=f"the tree did not start: {expected}"):
            async with serve(application):
                pytest.fail("it started")


async def test_the_http_applications_lifespan_is_open_while_the_tree_runs() -> None:
    """
    `lifespan(root)` is entered before connections come and left after the tree has stopped.
    """
    log: list[str] = []

    async def http(scope, receive, send): ...

    @asynccontextmanager
    async def lifespan(root: Root):
        log.append(f"enter {root.state}")
        yield
        log.append(f"leave {root.state}")

    http.lifespan = lifespan  # type: ignore[attr-defined]
    async with running(http=http) as server:
        log.append(server.root.state)

    assert log == ["enter new", "running", "leave stopped"]


LEAKS = [
    ValueError("leak"),
    SystemExit(3),
    KeyboardInterrupt(),
    BaseExceptionGroup("g", [SystemExit()]),
]


@pytest.mark.parametrize("error", LEAKS, ids=repr)
async def test_nothing_leaks_to_the_server(error: BaseException) -> None:
    """
    Whatever an inner application raises stays in its connection; the others go on.
    """

    async def leaky(scope, receive, send):
        raise error

    async with running(http=leaky, leaky=leaky, chat=Echo) as server:
        async with server.websocket("/chat") as neighbour:
            leaking = server.dial("/leaky")
            await leaking.application_done.wait()
            assert (await server.http("GET", "/")).status == 500
            neighbour.send_text("still here")
            assert await neighbour.receive() == "still here"

    kind = "slot.crashed" if isinstance(error, Exception) else "slot.fatal"
    assert [event.path for event in happened(server, kind)] == [
        "/connections/leaky/2",
        "/connections/http/3",
    ]


@pytest.mark.parametrize("error", LEAKS, ids=repr)
async def test_a_fault_outside_of_every_slot_stays_in_its_connection(
    error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What fails before there is a slot, as a router may, ends that connection alone.
    """

    def fail(*_: object) -> None:
        raise error

    async with running(chat=Echo) as server, server.websocket("/chat") as neighbour:
        monkeypatch.setattr(Routes, "match", fail)
        await server.dial("/chat").application_done.wait()
        neighbour.send_text("still here")
        assert await neighbour.receive() == "still here"

    assert "an error leaked from its connection; the others go on" in caplog.text


async def test_the_servers_cancellation_goes_through() -> None:
    """
    A Cancelled of the server's own is not swallowed.
    """

    async def slow(scope, receive, send):
        await trio.sleep_forever()

    application = Application(router=Routes({"slow": slow}))
    async with serve(application) as server:
        scope = {"type": "websocket", "path": "/slow", "state": server.state}
        with trio.move_on_after(0) as cancelled:
            await answer(application, scope)
        assert cancelled.cancelled_caught


async def test_unknown_scopes_are_ignored() -> None:
    """
    A scope of a kind that is not served is a warning, not an error.
    """
    application = Application()
    async with serve(application) as server:
        assert await answer(application, {"type": "webtransport", "state": server.state}) == []


@pytest.mark.parametrize(
    ("child", "expected"),
    [(Actor(), r"Write Actor, not Actor\(\)"), (7, "Write the class"), (dict, "inherit from")],
)
def test_a_bad_child_is_refused_at_import(child: object, expected: str) -> None:
    """
    Children are checked when the application is made, with what to write instead.
    """
    with pytest.raises(TypeError, match=expected):
        Application(children=[child])


async def test_max_connections() -> None:
    """
    More connections than max_connections are refused with 503 and Retry-After.
    """
    async with running(chat=Echo, options=Options(max_connections=1)) as server:
        async with server.websocket("/chat"):
            with pytest.raises(HandshakeRefused) as refused:
                async with server.websocket("/chat"):
                    pass
            assert refused.value.status == 503
            assert (b"retry-after", b"5") in refused.value.headers
            assert (await server.http("GET", "/")).status == 503
        async with server.websocket("/chat"):
            pass
        assert len(happened(server, "connection.refused")) == 2


async def test_what_is_no_consumer_is_refused_as_well() -> None:
    """
    A tree that takes no connections takes none for an application in a route either.
    """
    begun: list[str] = []

    async def foreign(scope, receive, send):
        begun.append(scope["path"])
        await send({"type": "websocket.accept"})

    async with running(foreign=foreign) as server:
        async with server.websocket("/foreign"):
            pass
        await server.root.drain()
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/foreign"):
                pass

        assert refused.value.status == 503
        (event,) = happened(server, "connection.refused")
        assert event.facts == {"reason": "the server is shutting down", "url": "/foreign"}
    assert begun == ["/foreign"]


async def test_the_root_is_known_below() -> None:
    """
    current_root() is the tree's root in an HTTP application.
    """
    found: list[Root] = []

    async def http(scope, receive, send):
        found.append(current_root())

    async with running(http=http) as server:
        await server.http("GET", "/")
        assert found == [server.root]


def test_routes_have_names() -> None:
    """
    A node is named after the route, else the class in short, and fits into a path.
    """

    class ChatConsumer(WebsocketConsumer): ...

    class Consumer(WebsocketConsumer): ...

    assert route_name(Match(ChatConsumer), ChatConsumer) == "chat"
    assert route_name(Match(Consumer), Consumer) == "consumer"
    assert route_name(Match(Consumer, name="a b/c\x00"), Consumer) == "a-b-c-"


def test_what_stands_for_a_consumer() -> None:
    """
    A class and what as_asgi() returned stand for a consumer; other applications do not.
    """
    application = Echo.as_asgi(x=1)
    assert isinstance(application, ConsumerApplication)

    assert consumer_of(application) == (Echo, {"x": 1})
    assert consumer_of(Echo) == (Echo, {})
    assert consumer_of(print) == (None, {})
