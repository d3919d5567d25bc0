from greenroom.actors import WebsocketConsumer


class PingConsumer(WebsocketConsumer):

    async def receive(self, message):
        await self.send(text="pong")
