# Long-polling under a real server: the example of the docs with its page, and a consumer for tests.

import importlib.util
from pathlib import Path
from typing import Any

from _base import COUNTS, Paths, http, record

from greenroom.actors import LongPollConsumer
from greenroom.bridges.asgi import Application

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "polling"
TYPES = {".html": b"text/html", ".js": b"text/javascript"}


def room_consumer() -> Any:
    """The consumer of the example."""
    spec = importlib.util.spec_from_file_location("polling_consumers", EXAMPLE / "consumers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RoomConsumer


class Quick(LongPollConsumer):
    poll_seconds = 0.2
    expiry_seconds = 3.0  # the first poll has to come within them
    body_seconds = 0.5

    async def connect(self):
        await self.accept()

    async def receive(self, text):
        if text == "boom":
            raise RuntimeError("boom")
        await self.send(text=f"{self.epoch}: {text}")

    async def disconnect(self, code, reason):
        COUNTS[f"end {code}"] += 1
        record(f"disconnect {code} {reason}")


class Steady(Quick):
    poll_seconds = 25.0
    expiry_seconds = 60.0


async def file(name: str, send: Any) -> None:
    """Answer with a file of the example."""
    data = (EXAMPLE / name).read_bytes()
    kind = TYPES[Path(name).suffix]
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def page(scope: Any, receive: Any, send: Any) -> None:
    await file("index.html", send)


async def script(scope: Any, receive: Any, send: Any) -> None:
    await file("long-poll.js", send)


async def icon(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


application = Application(
    http=http(**{"": page, "long-poll.js": script, "favicon.ico": icon}),
    http_router=Paths(poll=room_consumer(), quick=Quick, steady=Steady),
)
