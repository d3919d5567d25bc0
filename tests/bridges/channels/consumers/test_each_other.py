# Consumers that keep each other's objects in a dict, as code for Channels does, and send to them.

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from helpers import settle

from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.testing import ServerDriver, serve

players: dict[str, Any] = {}
ended: list[str] = []


@pytest.fixture(autouse=True)
def nobody() -> None:
    """
    Nobody plays yet.
    """
    players.clear()
    ended.clear()


class OnTrio(AsyncWebsocketConsumer):
    """
    A player that stays in the dict when it has gone.
    """

    async def connect(self) -> None:
        self.name = self.scope["url_route"]["kwargs"]["name"]
        players[self.name] = self
        await self.accept()

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        if text_data == "kick":
            await players["bob"].close(4001)
        for player in list(players.values()):
            await player.send(f"{self.name}: {text_data}")

    async def disconnect(self, code: int) -> None:
        ended.append(f"{self.name} {code}")


class OnAsyncio(OnTrio):
    on_asyncio = True

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await asyncio.sleep(0)
        await super().receive(text_data, bytes_data)


class InThread(WebsocketConsumer):
    def connect(self) -> None:
        self.name = self.scope["url_route"]["kwargs"]["name"]
        players[self.name] = self
        self.accept()

    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "crash":
            raise KeyError("broken")
        if text_data == "kick":
            players["bob"].close(4001)
        for player in list(players.values()):
            player.send(f"{self.name}: {text_data}")

    def disconnect(self, code: int) -> None:
        ended.append(f"{self.name} {code}")


each = pytest.mark.parametrize("player", [OnTrio, OnAsyncio, InThread])


@asynccontextmanager
async def served(player: Any) -> AsyncGenerator[ServerDriver]:
    async with serve(Greenroom(websocket=[path("<str:name>", player.as_asgi())])) as server:
        yield server


@each
async def test_one_that_has_gone_ends_no_other(player: Any) -> None:
    """
    Who sends to an object whose client has gone goes on, with the rest of the list and after it.
    """
    async with (
        served(player) as server,
        server.websocket("/alice") as alice,
        server.websocket("/bob") as bob,
        server.websocket("/carol") as carol,
    ):
        bob.disconnect(4000)
        await settle(lambda: ended == ["bob 4000"])
        for text in ("one", "two"):
            alice.send_text(text)
            assert await alice.receive() == f"alice: {text}"
            assert await carol.receive() == f"alice: {text}"


@each
async def test_an_object_from_before_a_crash_leads_to_the_socket(player: Any) -> None:
    """
    What others send to the object that has crashed reaches the client, whose socket is open.
    """
    async with (
        served(player) as server,
        server.websocket("/alice") as alice,
        server.websocket("/bob") as bob,
    ):
        old = players["bob"]
        bob.send_text("crash")
        bob.send_text("here")
        assert await alice.receive() == "bob: here"
        assert players["bob"] is old
        alice.send_text("hello")
        assert await bob.receive() == "bob: here"
        assert await bob.receive() == "alice: hello"


@each
async def test_one_may_close_another(player: Any) -> None:
    """
    A consumer that calls close() of another closes that one's socket, and lives on itself.
    """
    async with (
        served(player) as server,
        server.websocket("/alice") as alice,
        server.websocket("/bob") as bob,
    ):
        alice.send_text("kick")
        assert await alice.receive() == "alice: kick"
        await settle(lambda: ended == ["bob 4001"])
        assert (await bob.closed()).code == 4001
        alice.send_text("still here")
        assert await alice.receive() == "alice: still here"
