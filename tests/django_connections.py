# The connections to the database that a test has opened, and a pool whose threads open some.

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from greenroom.actors import ThreadPool
from greenroom.bridges.django._database import database_hooks


class Opened:
    """Every connection to the database that was opened while the test ran."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def note(self, *, connection: Any, **_: Any) -> None:
        self.all.append(connection)

    @property
    def now(self) -> int:
        return len({id(each) for each in self.all if each.connection is not None})


@asynccontextmanager
async def pool_of(
    size: int, idle: threading.Event | None = None
) -> AsyncGenerator[ThreadPool, None]:
    hooks = database_hooks()

    def on_idle() -> object:
        seconds = hooks.on_idle()
        if idle:
            idle.set()
        return seconds

    watched = replace(hooks, on_idle=on_idle)
    pool = ThreadPool("tested", size, hooks=watched, idle_seconds=0.01 if idle else 60)
    try:
        yield pool
    finally:
        await pool.aclose(timeout=5)


def query() -> int:
    from django.contrib.auth.models import User

    return User.objects.count()
