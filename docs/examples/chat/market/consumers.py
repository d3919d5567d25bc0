from greenroom.actors import WebsocketConsumer


class MarketConsumer(WebsocketConsumer):
    """A socket that only listens: the ticker's frames reach it through the group."""

    async def connect(self):
        await self.accept()
        await self.join("market")
