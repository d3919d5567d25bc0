# A server that is looked into while its consumers crash and hold threads.

import os
import threading

from _base import Paths, http

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.supervisor import Options

LET_GO = threading.Event()


class Crasher(WebsocketConsumer):
    async def receive(self, text):
        if text == "boom":
            raise LookupError("no such tile")
        self.send(text)


class Holder(WebsocketConsumer):
    def receive(self, text):
        self.send("held")
        LET_GO.wait(60)


async def let_go(scope, receive, send):
    LET_GO.set()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


application = Application(
    options=Options(inspection=True, inspection_dir=os.environ["LOOKED_AT_DIR"]),
    http=http(let_go=let_go),
    router=Paths(crasher=Crasher, holder=Holder),
)
