# What the probes are thrown at, as two applications: Greenroom's, whose consumers write to the
# connection itself, and plain ASGI, whose messages go through `receive` and `send`.
#
# Both answer /plain without a look at the body, /body with its length, /facts with what the process
# holds, and echo on the WebSocket /echo. The limits are low so that nobody waits for them long.

import os
import threading
from pathlib import Path
from typing import Any

import trio
from e2e.apps._base import COUNTS, Paths, answer

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Application
from greenroom.bridges.hypercorn import Limits, install

LIMITS = Limits(
    head_seconds=1.0,
    body_seconds=1.0,
    linger_seconds=1.0,
    message_bytes=65536,
    fragments=64,
    compress_from_bytes=64,
)
Scope = Any


async def http(scope: Scope, receive: Any, send: Any) -> None:
    """Answer a request of any method."""
    name = scope["path"].strip("/")
    COUNTS[name] += name == "smuggled"
    if name == "facts":
        await answer(send, {**_facts(), "counts": dict(COUNTS)})
    elif name == "body":
        size, more = 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return  # without an answer: the server knows what was wrong
            size, more = size + len(event["body"]), event["more_body"]
        await answer(send, size)
    else:
        await answer(send, "here", 200 if name in ("plain", "smuggled") else 404)


def _facts() -> dict[str, object]:
    tasks, pending = [], [trio.lowlevel.current_root_task()]
    while pending:
        if (task := pending.pop()) is not None:
            tasks.append(task.name)
            pending += [child for each in task.child_nurseries for child in each.child_tasks]
    descriptors = len(list(Path("/proc/self/fd").iterdir())) - 1
    threads = threading.active_count()
    return {"pid": os.getpid(), "tasks": tasks, "descriptors": descriptors, "threads": threads}


class Echo(WebsocketConsumer):
    async def receive(self, text: str | None, bytes: bytes | None = None) -> None:
        await self.send(text=text, bytes=bytes)


consumers = Application(http=http, router=Paths(echo=Echo))
consumers.connection_limits = LIMITS
install(LIMITS)


async def bare(scope: Scope, receive: Any, send: Any) -> None:
    """Serve without anything of Greenroom's but the connection."""
    if scope["type"] == "http":
        await http(scope, receive, send)
    elif scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{what}.complete"})
    elif scope["path"] != "/echo":
        await send({"type": "websocket.close"})
    else:
        try:
            await _echo(receive, send)
        except OSError:
            pass  # the peer is gone


async def _echo(receive: Any, send: Any) -> None:
    while (event := await receive())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({**event, "type": "websocket.send"})
