import msgspec

from greenroom.actors import JsonWebsocketConsumer, receives


class Move(msgspec.Struct, tag="move"):
    x: int
    y: int


class BoardConsumer(JsonWebsocketConsumer):
    invalid_per_minute = 5

    def connect(self, message):
        self.position = [0, 0]
        self.join("board")
        self.accept()

    @receives(Move)
    def move(self, content: Move):
        self.position = [content.x, content.y]
        self.group_send_json("board", {"type": "moved", "to": self.position})

    @receives("where")
    async def where(self, content):
        await self.send_json({"type": "here", "at": self.position})
