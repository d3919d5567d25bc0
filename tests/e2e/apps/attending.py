# Who is in the room: consumers that track, watch, crash and tell their clients, with handlers of
# both kinds; and the page of the docs' example of it.

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from _base import Paths, http

from greenroom.actors import JsonWebsocketConsumer, PresenceDiff, handles, receives
from greenroom.bridges.asgi import Application
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.engines.redis import RedisEngine
from greenroom.supervisor import Engine, Options

SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "examples" / "who-is-online.js"
PAGE = b"""<!doctype html><title>Room</title><ul id="list"></ul><script type="module">
import { whoIsOnline } from "./who-is-online.js";
const list = document.getElementById("list");
whoIsOnline(`ws://${location.host}/async${location.search}`, (present) => {
  list.replaceChildren(...[...present].map(([name, tabs]) => {
    const item = document.createElement("li");
    item.textContent = `${name}: ${tabs.map((tab) => tab.meta.status).join(", ")}`;
    return item;
  }));
});
</script>"""


class Visitor(JsonWebsocketConsumer):
    """One of whom all others in the room are told."""

    def enter(self) -> None:
        """Come in."""
        asked = parse_qs(self.scope["query_string"].decode())
        self.name, self.room = asked["name"][0], asked["room"][0]
        self.accept()
        self.tell(PresenceDiff(self.room, joined=self.presence_watch(self.room)))
        self.presence_track(self.room, self.name, {"status": "here"})

    def tell(self, diff: PresenceDiff) -> None:
        """Send *diff* to the client."""
        self.send_json({"type": "presence", **diff.as_dict()})

    def act(self, content: Any) -> None:
        """Do what the client asks for."""
        if content["what"] == "crash":
            raise RuntimeError("as asked")
        if content["what"] == "leave":
            self.presence_untrack(self.room)
        elif content["what"] == "be":
            self.presence_update(self.room, self.name, {"status": content["status"]})
        else:
            self.send_json({"epoch": self.epoch, "path": self.path})


class InThread(Visitor):
    def connect(self):
        self.enter()

    @handles(PresenceDiff)
    def changed(self, diff):
        self.tell(diff)

    @receives("do")
    def do(self, content):
        self.act(content)


class OnTrio(Visitor):
    async def connect(self):
        self.enter()

    @handles(PresenceDiff)
    async def changed(self, diff):
        self.tell(diff)

    @receives("do")
    async def do(self, content):
        self.act(content)


async def answer(send: Any, kind: bytes, data: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def page(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"text/html", PAGE)


async def script(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"text/javascript", SCRIPT.read_bytes())


async def icon(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, b"image/x-icon", b"")


def engine() -> Engine:
    """The engine on the Redis of the test, or of this process alone."""
    if url := os.environ.get("E2E_REDIS"):
        return RedisEngine([url], prefix="e2e")
    return LocalEngine()


application = Application(
    http=http(**{"": page, "who-is-online.js": script, "favicon.ico": icon}),
    router=Paths(**{"def": InThread, "async": OnTrio}),
    engine=engine,
    options=Options(presence_grace_seconds=float(os.environ.get("E2E_GRACE", "60"))),
)
