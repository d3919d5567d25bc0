# How one process is: who it is, whether it is ready, how late its loop answers, what it holds.

import platform
import sys
import time
from functools import cache
from importlib import metadata
from typing import Any

import trio

from ...actors import PoolStatistics
from ...actors._lowlevel import tasks_living
from ...supervisor import Root
from ...supervisor._look import Look
from ._ask_tree import Pace, sweep
from ._identity import this_process
from ._memory import peak_bytes, resident_bytes
from ._question import Fields
from ._samples import COLUMNS, Samples

FALLEN_SECONDS = 600.0
"""For how long it is told which connections have ended by a crash."""
MOST_FALLEN = 10
"""Of how many classes."""
_LIBRARIES = ("greenroom", "trio", "hypercorn", "django")


async def ask_process(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with how this process is. A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    with_samples = fields.flag("samples", default=True)
    fields.done()
    await sweep(Look(root), root, Pace())
    problems = root.readiness()
    events = root.events.counts()
    return {
        **this_process().as_dict(),
        "state": root.state,
        "ready": not problems,
        "problems": problems,
        "draining": root.state == "stopping",
        "versions": await _versions(),
        "loop_lag": root.loop_lag(),
        "tasks": tasks_living(),
        "memory": {"rss": resident_bytes(), "peak": peak_bytes()},
        "connections": {
            "open": root.connections.open,
            "most": root.options.max_connections,
            "routes": dict(root.connections.open_by_route()[:500]),
        },
        "residents": root.residents.states(),
        "trouble": len(root.trouble),
        "fallen": root.connections.graveyard.lately(time.time() - FALLEN_SECONDS, MOST_FALLEN),
        "threads": [_pool(each) for each in (pool.statistics() for pool in root.pools)],
        "counters": {kind: number for kind, number in events.items() if number},
        "columns": list(COLUMNS),
        "samples": Samples.of(root).read() if with_samples else [],
    }


def _pool(now: PoolStatistics) -> dict[str, Any]:
    return {
        "pool": now.name,
        "size": now.size,
        "busy": now.running,
        "waiting": now.queued,
        "abandoned": len(now.abandoned),
    }


async def _versions() -> dict[str, str]:
    """Return the versions of what runs here, as far as they are known; of libraries, if loaded."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        if name == "greenroom" or name in sys.modules:
            version = version_of(name)
            if version:
                found[name] = version
            await trio.sleep(0)  # the first time it is read from a file
    return found


@cache
def version_of(name: str) -> str:
    """Return the version of the distribution *name*; "" if it is not installed as one."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
