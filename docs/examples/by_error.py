import json

from greenroom.actors import WebsocketConsumer


class Adder(WebsocketConsumer):
    supervise = {
        json.JSONDecodeError: "resume",   # the client's mistake: drop the message
        PermissionError: "stop",          # no second chance: close the socket
    }

    async def connect(self, message):
        self.total = 0
        await self.accept()

    async def receive(self, text):
        if text == "/admin":
            raise PermissionError("not you")
        self.total += json.loads(text)
        await self.send(text=str(self.total))
