# What tests of questions share.

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from helpers import running, settle

from greenroom.bridges.inspection import Inspector
from greenroom.bridges.testing import ServerDriver


async def asked(server: ServerDriver, what: str, **fields: object) -> dict[str, Any]:
    """Ask *what*; the answer has to be what JSON can carry."""
    answer = await Inspector(server.root).answer({"ask": what, **fields})
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    return answer


@asynccontextmanager
async def dialled(
    count: int, *residents: object, sockets: list[Any] | None = None, **consumers: Any
) -> AsyncGenerator[ServerDriver]:
    """A tree with *residents* and *count* sockets of the first of *consumers*."""
    sockets = [] if sockets is None else sockets
    async with running(*residents, **consumers) as server:
        name = next(iter(consumers))
        sockets += [server.dial(f"/{name}") for _ in range(count)]
        await settle(lambda: server.root.connections.open == count)
        yield server
        for each in sockets:
            each.disconnect()


def open_files() -> set[tuple[str, str]]:
    """
    What this process has open, each with its number.

    Who compares asks what there is more: of what other tests have left something may just be
    closed, in a thread of theirs.
    """
    found: set[tuple[str, str]] = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself
            found.add((each.name, str(each.readlink())))
    return found


class Steps(trio.abc.Instrument):
    """Counts what is looked at between two turns."""

    def __init__(self) -> None:
        self.turns = [0]

    def look(self) -> None:
        """Take note of one look."""
        self.turns[-1] += 1

    def before_task_step(self, task: Any) -> None:
        """Begin to count anew; trio's hook."""
        self.turns.append(0)


@asynccontextmanager
async def steps_counted() -> AsyncGenerator[Steps]:
    """Count looks in each step of a task."""
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        yield steps
    finally:
        trio.lowlevel.remove_instrument(steps)


async def paged(
    server: ServerDriver, what: str, rows: str = "rows", **fields: object
) -> list[dict[str, Any]]:
    """Ask for page after page; all rows."""
    found: list[dict[str, Any]] = []
    answer = await asked(server, what, **fields)
    found += answer[rows]
    while answer["next"] is not None:
        answer = await asked(server, what, **(fields | {"after": answer["next"]}))
        found += answer[rows]
    return found
