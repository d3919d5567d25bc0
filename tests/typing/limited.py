# What a consumer says of its sockets and of how its handlers are run, with annotations.
from __future__ import annotations

from typing import assert_type

from greenroom.actors import (
    ActorRef,
    Denied,
    WebsocketConsumer,
    cancelled_on_disconnect,
    concurrent,
    handles,
    timeout,
)


class Limited(WebsocketConsumer):
    subprotocols = ["chat.v2", "chat.v1"]
    groups = ["lobby", "room.{room}"]
    message_bytes = 65536
    messages_per_second = 20
    idle_limit_seconds = 60
    lifetime_seconds = None
    connections_per_address = 10

    async def connect(self) -> None:
        if not self.scope["headers"]:
            raise Denied(401, "Who are you?\n", [("WWW-Authenticate", "Bearer")])
        if self.subprotocol is None:
            await self.deny(400, [("X-Why", "no subprotocol")], b"")
        await self.accept()
        assert_type(self.subprotocol, str | None)
        assert_type(self.group_members("lobby"), tuple[ActorRef, ...])

    @concurrent(4, per_key=len)
    @timeout(2)
    async def receive(self, text: str) -> None:
        await self.send(text=text)

    @handles("page", concurrent=8, per_key="book", timeout=5.0, cancel_on_disconnect=True)
    def on_page(self, message: dict[str, object]) -> int:
        return len(message)

    @cancelled_on_disconnect(False)
    @handles("save")
    async def on_save(self, message: object) -> None: ...
