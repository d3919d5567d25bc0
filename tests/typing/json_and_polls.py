# JSON consumers and long-polling sessions as users write them.

import json
from typing import Any

import msgspec

from greenroom.actors import InvalidContent, JsonWebsocketConsumer, LongPollConsumer, receives


class Move(msgspec.Struct, tag="move"):
    x: int


class Say(msgspec.Struct, tag="say"):
    text: str


class Board(JsonWebsocketConsumer):
    invalid_per_minute = 5
    dispatch_by = "type"

    @receives(Move)
    def move(self, content: Move) -> None:
        self.group_send_json("board", {"x": content.x})

    @receives("say", "shout")
    async def say(self, content: Say) -> None:
        await self.send_json(content)
        await self.group_send_json_others("board", content)

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        await self.send_json(content)

    def on_invalid(self, error: InvalidContent, text: str | None) -> None:
        self.send_json({"error": error.kind, "field": error.field, "text": text})

    @classmethod
    def decode_json(cls, text_data: str) -> object:
        return json.loads(text_data)

    @classmethod
    def encode_json(cls, content: object) -> str:
        return json.dumps(content)


class Poll(LongPollConsumer):
    poll_seconds = 10.0
    on_window_full = "drop_oldest"
    max_sessions = None

    async def connect(self) -> None:
        if self.scope["path"] == "/no":
            await self.deny(402, [("x-price", "5")], "pay first")
            return
        await self.accept(headers=[("x-room", "blue")])

    def receive(self, text: str | None, bytes: bytes | None) -> None:
        self.send(text=text, bytes=bytes)

    async def disconnect(self, code: int, reason: str) -> None:
        await self.close(code, reason)


application = Poll.as_asgi()
