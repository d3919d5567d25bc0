# Consumers that say what their sockets may do, for the real server.

import trio
from _base import COUNTS, Paths, http
from greenroom.actors import Denied, WebsocketConsumer, concurrent, timeout
from greenroom.bridges.asgi import Application


class Small(WebsocketConsumer):
    message_bytes = 1000

    async def receive(self, text, bytes=None):
        await self.send(text=str(len(text or bytes)))


class Slow(WebsocketConsumer):
    """Ten messages a second; a second of patience with more."""

    messages_per_second = 50
    rate_burst_seconds = 0.1
    rate_patience_seconds = 1.0

    async def receive(self, text):
        COUNTS["slow"] += 1

    async def disconnect(self, code, reason):
        COUNTS[f"slow disconnect {code} {reason}"] += 1


class Idle(WebsocketConsumer):
    idle_limit_seconds = 0.3


class Mayfly(WebsocketConsumer):
    lifetime_seconds = 0.3
    lifetime_code = 4000


class Doorman(WebsocketConsumer):
    def connect(self, message):
        self.check()

    def check(self):
        raise Denied(401, "Who are you?\n", [("WWW-Authenticate", "Bearer")])


class Denier(WebsocketConsumer):
    async def connect(self, message):
        await self.deny(418, body=b"short and stout")


class Spoken(WebsocketConsumer):
    subprotocols = ["chat.v2", "chat.v1"]

    def connect(self, message):
        self.accept(headers=[("X-Room", "lobby")])


class Pair(WebsocketConsumer):
    connections_per_address = 2


class Parallel(WebsocketConsumer):
    """Answers in the order of the seconds that it is asked to take, not of the frames."""

    def __init__(self):
        self.event = trio.Event()

    @concurrent(2)
    async def receive(self, text):
        if text == "first":
            await self.event.wait()
        await self.send(text=text)
        self.event.set()


class Blocking(WebsocketConsumer):
    """Two `def` handlers at a time: the second lets the first go on."""

    def __init__(self):
        import threading

        self.event = threading.Event()

    @concurrent(2)
    def receive(self, text):
        if text == "first":
            assert self.event.wait(30)
        self.send(text=text)
        self.event.set()


class Overruns(WebsocketConsumer):
    @timeout(0.2)
    async def receive(self, text):
        if text == "sleep":
            await trio.sleep_forever()
        await self.send(text=f"{text} {self.epoch}")


class Farewell(WebsocketConsumer):
    async def disconnect(self, code, reason):
        COUNTS[f"farewell {code} {reason}"] += 1


application = Application(
    http=http(),
    router=Paths(
        small=Small,
        slow=Slow,
        idle=Idle,
        mayfly=Mayfly,
        doorman=Doorman,
        denier=Denier,
        spoken=Spoken,
        pair=Pair,
        parallel=Parallel,
        blocking=Blocking,
        overruns=Overruns,
        farewell=Farewell,
    ),
)
