from greenroom.actors import WebsocketConsumer


class Echo(WebsocketConsumer):

    async def receive(self, text):
        await self.send(text=text)


application = Echo.as_asgi()
