# What the test applications share: routes by plain paths, HTTP that tells what is going on
# inside the process, and a log of what the consumers did that outlives the process.

import json
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import Match
from greenroom.supervisor import current_root

COUNTS: Counter[str] = Counter()
"""What the consumers have counted, shown at /facts."""
GATE = threading.Event()
"""Holds blocking handlers until somebody opens it."""


def record(line: str) -> None:
    """Append *line* to the file named by E2E_LOG, for a test to read when all is over."""
    if path := os.environ.get("E2E_LOG"):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)


class Paths:
    """A router by whole paths: ``/echo`` leads to the consumer ``echo``."""

    def __init__(self, **consumers: type[WebsocketConsumer]) -> None:
        self._consumers = consumers

    def match(self, scope: Any) -> Match | None:
        name = scope["path"].strip("/")
        consumer = self._consumers.get(name)
        return Match(consumer, name=name) if consumer else None


def facts() -> dict[str, object]:
    """What this process holds: tasks by name, threads, descriptors, counts."""
    tasks: list[str] = []
    pending = [trio.lowlevel.current_root_task()]
    while pending:
        task = pending.pop()
        if task is not None:
            tasks.append(task.name)
            pending += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return {
        "pid": os.getpid(),
        "tasks": tasks,
        "threads": [thread.name for thread in threading.enumerate()],
        "descriptors": len(list(Path("/proc/self/fd").iterdir())) - 1,
        "counts": dict(COUNTS),
        "events": {kind: n for kind, n in current_root().events.counts().items() if n},
        "open": current_root().connections.open,
    }


async def answer(send: Any, body: object, status: int = 200) -> None:
    """Answer a request with JSON."""
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


def http(**routes: Callable[[Any, Any, Any], Awaitable[None]]) -> Any:
    """An ASGI application: /tree, /facts, /open (the gate), and *routes*."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].strip("/")
        if name == "tree":
            await answer(send, current_root().snapshot().as_dict())
        elif name == "facts":
            await answer(send, facts())
        elif name == "open":
            GATE.set()
            await answer(send, "open")
        elif name in routes:
            await routes[name](scope, receive, send)
        else:
            await answer(send, "not found", 404)

    return application
