# What a consumer says of the handshake, and how it refuses one, on both ways; declared groups,
# and caps on connections.

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from helpers import happened, running, settle
from trio.testing import MockClock

from greenroom.actors import Denied, WebsocketConsumer
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import HandshakeRefused, serve
from greenroom.supervisor import Options

from ._two_ways import WAYS, opened

pytestmark = pytest.mark.parametrize("way", WAYS)


async def refused(way: str, server: Any, path: str = "/chat", **more: Any) -> HandshakeRefused:
    """Return how a handshake was refused."""
    with pytest.raises(HandshakeRefused) as found:
        async with opened(way, server, path, **more):
            pass
    return found.value


class Speaks(WebsocketConsumer):
    subprotocols = ["chat.v2", "chat.v1"]

    async def receive(self, text: str) -> None:
        await self.send(text=str(self.subprotocol))


class Silent(Speaks):
    """Has a connect() of its own."""

    async def connect(self) -> None:
        assert self.subprotocol is None
        await self.accept()


@pytest.mark.parametrize("kind", [Speaks, Silent])
@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (("chat.v1", "chat.v2"), "chat.v2"),
        (("other", "chat.v1"), "chat.v1"),
        (("other",), None),
        ((), None),
    ],
)
async def test_a_subprotocol_is_chosen(
    way: str, kind: type[WebsocketConsumer], offered: tuple[str, ...], agreed: str | None
) -> None:
    """
    The first one of the class that the client offers is agreed on, or none.
    """
    async with running(chat=kind) as server:
        async with opened(way, server, subprotocols=offered) as client:
            assert client.subprotocol == agreed
            await client.send("which?")
            assert await client.text() == str(agreed)


async def test_a_subprotocol_is_required(way: str) -> None:
    """
    A class that requires one refuses with 400, before connect(), who offers none of its.
    """

    class Strict(Speaks):
        subprotocol_required = True

        async def connect(self) -> None:
            raise AssertionError("never asked")

    async with running(chat=Strict) as server:
        answer = await refused(way, server, subprotocols=("other",))
        assert answer.status == 400
        assert (
            answer.body == b"none of the subprotocols spoken here was offered: chat.v2, chat.v1\n"
        )
        assert len(happened(server, "connection.refused")) == 1


class Guarded(WebsocketConsumer):
    """Refuses in one of several ways, by what the path asks for."""

    ends: list[int] = []

    async def connect(self) -> None:
        how = self.scope["query_string"].decode()
        if how == "deny":
            await self.deny(401, [("WWW-Authenticate", "Bearer")], "Who are you?\n")
            self.deny(500)
        elif how == "bytes":
            await self.deny(410, [("Content-Type", "application/json")], b"{}")
        elif how == "raise":
            self.deeper()
        elif how == "group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.later)
        elif how == "late":
            await self.accept()
            raise Denied(402)

    def deeper(self) -> None:
        raise Denied(402, "Pay first.\n", [("X-Price", "1")], reason="no money")

    async def later(self) -> None:
        raise Denied(402, "Pay later.\n")

    async def disconnect(self, code: int) -> None:
        self.ends.append(code)


@pytest.mark.parametrize(
    ("how", "status", "body", "header"),
    [
        ("deny", 401, b"Who are you?\n", (b"www-authenticate", b"Bearer")),
        ("deny", 401, b"Who are you?\n", (b"content-type", b"text/plain; charset=utf-8")),
        ("bytes", 410, b"{}", (b"content-type", b"application/json")),
        ("raise", 402, b"Pay first.\n", (b"x-price", b"1")),
        ("group", 402, b"Pay later.\n", (b"content-length", b"11")),
    ],
)
async def test_denied(
    way: str, how: str, status: int, body: bytes, header: tuple[bytes, bytes]
) -> None:
    """
    deny() and Denied refuse with a status, headers and a body; that is no crash.
    """
    Guarded.ends = []
    async with running(chat=Guarded) as server:
        answer = await refused(way, server, f"/chat?{how}")
        assert (answer.status, answer.body) == (status, body)
        assert header in [(name.lower(), value) for name, value in answer.headers]
        await settle(lambda: Guarded.ends)
        assert Guarded.ends == [1008 if how in ("raise", "group") else 1000]
        assert happened(server, "slot.crashed") == []


async def test_denied_with_what_can_t_be_sent(way: str) -> None:
    """
    Denied with no such status, or with a header that can't be sent, is a crash of connect().
    """

    class Wrong(WebsocketConsumer):
        async def connect(self) -> None:
            if self.scope["query_string"] == b"status":
                raise Denied(200)
            raise Denied(403, headers=[("Bad name", "x")])

    async with running(chat=Wrong) as server:
        for what in ("status", "header"):
            assert (await refused(way, server, f"/chat?{what}")).status == 500
        assert len(happened(server, "slot.crashed")) == 2


async def test_denied_behind_accept(way: str) -> None:
    """
    Denied behind accept() closes the socket with 1008: it is too late for a status.
    """
    async with running(chat=Guarded) as server, opened(way, server, "/chat?late") as client:
        assert await client.closed() == (1008, "")


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ((200,), ValueError, "300 to 599. Got: 200"),
        (("403",), TypeError, "a whole number. Got: '403'"),
        ((403, [("Content-Length", "3")]), ValueError, "sets this header itself"),
        ((403, [("bad name", "3")]), ValueError, "no header of HTTP"),
        ((403, (), 7), TypeError, "bytes, or a str. Got: int"),
    ],
)
async def test_a_wrong_denial_is_refused(
    way: str, arguments: tuple[Any, ...], error: type[Exception], told: str
) -> None:
    """
    What can't be sent is an error at the call, and the client gets a 500.
    """
    seen: list[Exception] = []

    class Wrong(WebsocketConsumer):
        async def connect(self) -> None:
            try:
                self.deny(*arguments)
            except Exception as problem:
                seen.append(problem)
                raise

    async with running(chat=Wrong) as server:
        assert (await refused(way, server)).status == 500
    assert isinstance(seen[0], error)
    assert told in str(seen[0])


async def test_deny_behind_accept(way: str) -> None:
    """
    deny() behind accept() is an error that says what to do.
    """
    seen: list[str] = []

    class Late(WebsocketConsumer):
        async def receive(self, text: str) -> None:
            try:
                self.deny(401)
            except RuntimeError as error:
                seen.append(str(error))
            await self.send(text="still here")

    async with running(chat=Late) as server, opened(way, server) as client:
        await client.send("x")
        assert await client.text() == "still here"
    assert seen == ["deny() behind accept(): the socket is open, so close() it"]


class ByRoom:
    """A router whose paths have a room behind the name."""

    def __init__(self, consumer: type[WebsocketConsumer]) -> None:
        self._consumer = consumer

    def match(self, scope: Any) -> Match | None:
        name, _, room = scope["path"].strip("/").partition("/")
        return Match(self._consumer, {"room": room} if room else {}, name=name)


class Room(WebsocketConsumer):
    groups = ["lobby", "room.{room}"]

    async def connect(self) -> None:
        self.seen = len(self.group_members("lobby"))
        await self.accept()

    async def receive(self, text: str) -> None:
        members = self.group_members(f"room.{self.kwargs['room']}")
        await self.send(text=f"{self.seen} {len(members)} {members[0].path == self.path}")


async def test_declared_groups(way: str) -> None:
    """
    Groups of the class, templates too, are joined before connect() and left at the end.
    """
    async with serve(Application(router=ByRoom(Room))) as server:
        async with opened(way, server, "/chat/a") as one, opened(way, server, "/chat/b") as two:
            await one.send("?")
            assert await one.text() == "1 1 True"
            await two.send("?")
            assert await two.text() == "2 1 True"
            server.root.groups.send("room.b", text="for b")
            assert await two.text() == "for b"
        await settle(lambda: not server.root.groups.names())


async def test_a_template_without_its_part(way: str) -> None:
    """
    A route that captures no room is a mistake, told by name; a room that is no name is refused.
    """
    async with serve(Application(router=ByRoom(Room))) as server:
        assert (await refused(way, server, "/chat")).status == 500
        (crash,) = happened(server, "slot.crashed")
        assert "captured no 'room'" in str(crash.facts["exception"])
        assert (await refused(way, server, "/chat/" + "x" * 300)).status == 400
        assert len(happened(server, "slot.crashed")) == 1


class Two(WebsocketConsumer):
    connections_per_address = 2


async def test_caps_of_an_address(way: str) -> None:
    """
    One more connection from an address is refused with 429; one that ends makes room.
    """
    async with running(chat=Two) as server:
        async with opened(way, server):
            async with opened(way, server):
                answer = await refused(way, server)
                assert answer.status == 429
                assert answer.body == (
                    b"too many connections of Two from this address: 2 at most"
                    b" (connections_per_address)\n"
                )
                assert (b"retry-after", b"5") in answer.headers
            await settle(lambda: server.root.connections.open == 1)
            async with opened(way, server):
                pass
        await settle(lambda: not server.root.connections.open)
        assert server.root.connections.caps._taken == {}


async def test_a_cap_of_the_class(way: str) -> None:
    """
    A class may have a number of its own; what is above it is refused with 503.
    """
    one = type("One", (WebsocketConsumer,), {"max_connections": 1})
    async with running(chat=one, other=WebsocketConsumer) as server, opened(way, server):
        assert (await refused(way, server)).status == 503
        async with opened(way, server, "/other"):
            pass


async def test_caps_of_a_user(way: str) -> None:
    """
    Connections of one user are counted by what the application says of the scope.
    """

    async def user_key(scope: Mapping[str, Any]) -> str | None:
        await trio.sleep(0)
        return scope["query_string"].decode() or None

    one = type("One", (WebsocketConsumer,), {"connections_per_user": 1})
    async with running(chat=one) as server:
        server.root.connections.user_key = user_key
        async with opened(way, server, "/chat?ann"), opened(way, server, "/chat?bob"):
            assert (await refused(way, server, "/chat?ann")).status == 429
            async with opened(way, server), opened(way, server):  # nobody's
                pass
        await settle(lambda: not server.root.connections.open)
        assert server.root.connections.caps._taken == {}


async def test_users_that_nobody_knows(way: str, autojump_clock: MockClock) -> None:
    """
    Who counts users and can't know them is told so; who takes too long to tell refuses with 503.
    """

    async def never(scope: Mapping[str, Any]) -> None:
        await trio.sleep_forever()

    options = Options(connections_per_user=1)
    async with running(chat=WebsocketConsumer, options=options) as server:
        server.root.connections.user_key = never
        answer = await refused(way, server)
        assert answer.status == 503
        assert answer.body == b"it took longer than 10 s to learn whose connection this is\n"
