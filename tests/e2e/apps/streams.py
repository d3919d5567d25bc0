# Consumers of HTTP for real clients: bodies and responses in parts, event streams, and a page
# with an EventSource.

import os
from typing import Any

import trio
from _base import COUNTS, Paths, http, record
from greenroom.actors import EventHistory, EventStreamConsumer, HttpConsumer, handles
from greenroom.bridges.asgi import Application
from greenroom.supervisor import Options, current_root

LOG = EventHistory(events=50)
HELD = trio.Event()
PAGE = b"""<!doctype html><title>events</title><ul id=log></ul><script>
const source = new EventSource(new URLSearchParams(location.search).get("to"))
const show = text => { const line = document.createElement("li"); line.textContent = text
                       document.getElementById("log").append(line) }
source.onopen = () => show("open")
source.onmessage = event => show(`${event.data} (${event.lastEventId.split("-").pop()})`)
source.addEventListener("kind", event => show(`kind: ${event.data}`))
source.onerror = () => show(["connecting", "open", "closed"][source.readyState])
</script>"""


class Page(HttpConsumer):
    async def handle(self):
        self.respond(bytes=PAGE, content_type="text/html; charset=utf-8")


class Echo(HttpConsumer):
    """Answers from a thread with the body as a whole."""

    def handle(self, body):
        self.respond(bytes=body, headers=[("x-method", self.method)])


class Upload(HttpConsumer):
    """Counts what comes, and may be held up."""

    async def connect(self):
        self.size = 0

    async def chunk(self, data, last):
        COUNTS["parts"] += 1
        if "held" in self.query:
            await HELD.wait()
        self.size += len(data)
        COUNTS["uploaded"] += len(data)
        if last:
            self.respond(json={"size": self.size})

    def disconnect(self, reason):
        COUNTS[f"upload {reason}"] += 1


class Flood(HttpConsumer):
    """Sends for ever, as fast as its client reads."""

    async def handle(self):
        self.start(200, [("content-type", "application/octet-stream")])
        while True:
            COUNTS["flooded"] += 1
            await self.send(bytes=b"x" * 10000)

    async def disconnect(self, reason):
        COUNTS[f"flood {reason}"] += 1


class Later(HttpConsumer):
    """Answers when somebody else says so, in parts."""

    async def handle(self):
        COUNTS["later"] += 1
        self.join("later")

    @handles("begin")
    def begin(self):
        self.start(202, [("content-type", "text/plain")], trailers=True)
        self.send("begun,")

    @handles("raise")
    async def fail(self):
        raise ValueError("no")

    @handles("end")
    async def end(self):
        self.finish("ended", trailers=[("x-sum", "12")])

    async def disconnect(self, reason):
        COUNTS[f"later {reason}"] += 1
        record(f"later {reason}")


class Guarded(HttpConsumer):
    """Refuses a body before it was sent."""

    def connect(self):
        self.respond(401, text="no\n")

    def handle(self, body):
        raise AssertionError("it was sent")


class Feed(EventStreamConsumer):
    """Events with a history; told to crash, end, or refuse."""

    history = LOG
    refused = False

    def connect(self, missed, last_event_id):
        COUNTS["feeds"] += 1
        if Feed.refused:
            COUNTS["refused"] += 1
            self.respond(204)
            return
        self.join("feed")
        self.accept(retry=50)
        if missed:
            self.send("missed")

    @handles("raise")
    async def fail(self):
        raise ValueError("no")

    @handles("close")
    def shut(self):
        self.close()

    async def disconnect(self, reason):
        COUNTS[f"feed {reason}"] += 1
        record(f"feed {reason}")


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """POST /tell?group=...&type=...: a message for a group."""
    query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
    groups = current_root().groups
    if query["type"] == "event":
        reached = groups.send("feed", bytes=LOG.add(query["data"], event=query.get("event")))
    elif query["type"] == "flood":
        for _ in range(int(query["data"])):
            reached = groups.send("feed", text="x" * 10000)
            await trio.sleep(0)
    elif query["type"] == "let_go":
        HELD.set()
        reached = 1
    elif query["type"] == "refuse":
        Feed.refused, reached = True, 0
    else:
        reached = groups.send(query["group"], {"type": query["type"]})
    body = str(reached).encode()
    length = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


application = Application(
    http=http(tell=tell),
    http_router=Paths(
        page=Page, echo=Echo, upload=Upload, flood=Flood, later=Later, guarded=Guarded, feed=Feed
    ),  # type: ignore[arg-type]
    options=Options(
        **{
            name: int(value) if value.isdigit() else float(value)
            for name, value in (
                pair.split("=") for pair in os.environ.get("E2E_OPTIONS", "").split()
            )
        },
        fast_connections="E2E_PLAIN" not in os.environ,
    ),
)
