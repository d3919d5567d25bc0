# Clients whose connections are traced.

from collections.abc import Mapping

import trio
from client_bench import Server, Tree
from opentelemetry import trace

from greenroom.bridges.client import WebsocketClient


def dialling(url: str, headers: Mapping[str, str] | None = None) -> type[WebsocketClient]:
    """Return the class of a client of *url*, which tells what it hears."""

    class Feed(WebsocketClient):
        def __init__(self) -> None:
            self.url, self.headers = url, headers or {}

        async def receive(self, text: str) -> None:
            await self.send(text=trace.get_current_span().name)

    return Feed


async def told(nursery: trio.Nursery, server: Server, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that *server* gets from a client which adds *headers*."""
    await Tree.start(nursery, dialling(server.url, headers))
    await server.accepted()
    return {name.decode().lower(): value.decode() for name, value in server.requests[0].headers}
