from greenroom.actors import WebsocketConsumer


class Impatient(WebsocketConsumer):
    max_restarts = 0                  # the first crash closes the socket

    async def receive(self, text):
        raise ValueError(text)


class Stubborn(WebsocketConsumer):
    max_restarts = 5                  # five
    max_seconds = 60                  # within a minute of being alive

    async def receive(self, text):
        raise ValueError(text)
