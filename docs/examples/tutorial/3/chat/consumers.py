import json

from greenroom.actors import WebsocketConsumer


class ChatConsumer(WebsocketConsumer):
    async def connect(self):
        self.room = f"chat.{self.kwargs['room_name']}"
        await self.join(self.room)
        await self.accept()

    async def receive(self, text):
        message = json.loads(text)["message"]
        await self.group_send(self.room, text=json.dumps({"message": message}))
