# Consumers for rude clients and for shutdown: they write down how they ended, and one sends
# for ever.

import os
import threading
from typing import Any

import trio
from _base import COUNTS, GATE, Paths, answer, http, record
from greenroom.actors import Disconnected, WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.supervisor import Options, current_root

FILLER = "x" * 1000


class Echo(WebsocketConsumer):
    async def receive(self, text, bytes=None):
        COUNTS["echo"] += 1
        await self.send(text=text, bytes=bytes)

    async def disconnect(self, message, code):
        COUNTS["echo disconnect"] += 1
        COUNTS[f"echo disconnect {code}"] += 1
        record(f"echo {code}")


class Plain(WebsocketConsumer):
    """The same with `def` handlers."""

    def connect(self, message):
        self.accept(subprotocol=next(iter(self.scope["subprotocols"]), None))

    def receive(self, text, bytes=None):
        self.send(text=text, bytes=bytes)

    def disconnect(self, message, code):
        COUNTS["plain disconnect"] += 1
        record(f"plain {code}")


RELEASE = trio.Event()


class Stuck(WebsocketConsumer):
    """Handles its first frame until /release: a flood has to wait outside."""

    async def receive(self, text, bytes=None):
        COUNTS["stuck received"] += 1
        await RELEASE.wait()

    async def disconnect(self, message, code):
        COUNTS["stuck disconnect"] += 1
        record(f"stuck {code}")


class Closer(WebsocketConsumer):
    """Closes at the first word."""

    async def receive(self, text, bytes=None):
        await self.close(4000, "enough")


class Blocked(WebsocketConsumer):
    """Blocks its thread for ever."""

    def receive(self, text, bytes=None):
        COUNTS["blocked received"] += 1
        threading.Event().wait()

    def disconnect(self, message, code):
        record(f"blocked {code}")


class Hose(WebsocketConsumer):
    """Sends without end when asked to: ``wait`` awaits room, ``rush`` does not."""

    async def receive(self, text, bytes=None):
        try:
            while True:
                sent = self.send(text=FILLER)
                COUNTS["hose"] += 1
                if text == "wait":
                    await sent
                elif COUNTS["hose"] % 100 == 0:
                    await trio.sleep(0)
        except Disconnected as error:
            COUNTS[f"hose {error.code}"] += 1
            raise

    async def disconnect(self, message, code):
        COUNTS["hose disconnect"] += 1
        record(f"hose {code}")


class ThreadHose(WebsocketConsumer):
    """Sends without end from a worker thread."""

    def receive(self, text, bytes=None):
        while True:
            self.send(text=FILLER)
            COUNTS["thread hose"] += 1

    def disconnect(self, message, code):
        COUNTS["thread hose disconnect"] += 1
        record(f"thread-hose {code}")


class Member(WebsocketConsumer):
    """In one group with all others; what it receives goes to everyone as a frame."""

    async def connect(self, message):
        self.join("everybody")
        await self.accept()

    async def receive(self, text, bytes=None):
        await self.group_send("everybody", text=text)

    async def disconnect(self, message, code):
        record(f"member {code}")


class Thoughtful(WebsocketConsumer):
    """Thinks before it lets anybody in, in a thread."""

    def connect(self, message):
        COUNTS["thinking"] += 1
        GATE.wait()
        self.accept()

    def disconnect(self, message, code):
        COUNTS["thoughtful disconnect"] += 1
        record(f"thoughtful {code}")


async def release(scope: Any, receive: Any, send: Any) -> None:
    """Let the stuck ones go on."""
    RELEASE.set()
    await answer(send, "released")


async def shout(scope: Any, receive: Any, send: Any) -> None:
    """Send a frame of a megabyte's half to the whole group."""
    reached = current_root().groups.send("everybody", text="y" * 300_000)
    await answer(send, reached)


async def big(scope: Any, receive: Any, send: Any) -> None:
    """Send 64 MiB."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64):
        await send({"type": "http.response.body", "body": b"z" * 2**20, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def wait(scope: Any, receive: Any, send: Any) -> None:
    """Never answer."""
    await trio.sleep_forever()


async def watch(scope: Any, receive: Any, send: Any) -> None:
    """Answer nothing, and notice that the client has gone."""
    COUNTS["watch"] += 1
    while (await receive())["type"] != "http.disconnect":
        pass
    COUNTS["watch disconnect"] += 1


async def stop_hoses(scope: Any, receive: Any, send: Any) -> None:
    """Ask every hose to stop."""
    root = current_root()
    for node in root.snapshot().walk():
        if node.kind == "slot" and node.actor == "Hose":
            root.find(node.path).stop("by hand")
    await answer(send, "asked")


application = Application(
    http=http(
        **{"stop-hoses": stop_hoses},
        big=big,
        release=release,
        shout=shout,
        wait=wait,
        watch=watch,
    ),
    router=Paths(
        **{"thread-hose": ThreadHose},
        echo=Echo,
        plain=Plain,
        stuck=Stuck,
        blocked=Blocked,
        closer=Closer,
        hose=Hose,
        member=Member,
        thoughtful=Thoughtful,
    ),
    options=Options(**{
        name: int(value) if value.isdigit() else float(value)
        for name, value in (pair.split("=") for pair in os.environ.get("E2E_OPTIONS", "").split())
    }),
)
