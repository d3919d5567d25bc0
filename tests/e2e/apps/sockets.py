# Consumers for rude clients and for shutdown: they write down how they ended, and one sends
# for ever.

import threading

import trio
from _base import COUNTS, Paths, http, record

from greenroom.actors import Disconnected, WebsocketConsumer
from greenroom.bridges.asgi import Application

FILLER = "x" * 1000


class Echo(WebsocketConsumer):
    async def receive(self, text, bytes=None):
        await self.send(text=text, bytes=bytes)

    def disconnect(self, message, code):
        COUNTS["disconnect"] += 1
        record(f"echo {code}")


class Slow(WebsocketConsumer):
    """Takes a frame only when its neighbour says so: a flood has to wait outside."""

    async def receive(self, text, bytes=None):
        COUNTS["slow received"] += 1
        await trio.sleep_forever()

    async def disconnect(self, message, code):
        record(f"slow {code}")


class Hose(WebsocketConsumer):
    """
    Sends without end when asked to: ``await`` waits for room, ``rush`` does not.
    """

    async def receive(self, text, bytes=None):
        try:
            while True:
                sent = self.send(text=FILLER)
                COUNTS["hose"] += 1
                if text == "await":
                    await sent
                elif text == "rush" and COUNTS["hose"] % 100 == 0:
                    await trio.sleep(0)
        except Disconnected as error:
            COUNTS[f"hose {error.code}"] += 1
            raise

    async def disconnect(self, message, code):
        COUNTS["hose disconnect"] += 1
        record(f"hose {code}")


class Member(WebsocketConsumer):
    """In one group with all others; ``all ...`` goes to everyone as a frame."""

    async def connect(self, message):
        self.join("everybody")
        await self.accept()

    async def receive(self, text, bytes=None):
        await self.group_send("everybody", text=text)

    async def disconnect(self, message, code):
        record(f"member {code}")


class Thoughtful(WebsocketConsumer):
    """Thinks before it lets anybody in, in a thread; and says good-bye at length."""

    def connect(self, message):
        COUNTS["thinking"] += 1
        STARTED.set()
        self.accept()

    def disconnect(self, message, code):
        record(f"thoughtful {code}")


STARTED = threading.Event()

application = Application(
    http=http(),
    router=Paths(echo=Echo, slow=Slow, hose=Hose, member=Member, thoughtful=Thoughtful),
)
