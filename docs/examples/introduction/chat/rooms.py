from greenroom.actors import WebsocketConsumer


class RoomConsumer(WebsocketConsumer):
    keep = ["name"]

    async def connect(self):
        self.name = "Anonymous"
        self.room = f"room.{self.kwargs['room']}"
        await self.accept()
        await self.join(self.room)

    async def receive(self, text):
        if text.startswith("/name "):
            self.name = text.removeprefix("/name ")
        else:
            await self.group_send(self.room, text=f"{self.name}: {text}")
