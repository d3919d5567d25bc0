# Who holds the worker threads: each pool, each job, for how long, for whom, and where it is.
#
# A thread can't be asked what it does, and may be stuck in a call that never returns: so its stack
# is read from outside, as the interpreter has it in that moment. Only files, lines and names are
# told, never values.

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import trio

from ...actors import Job
from ...actors._context import current_life
from ...actors._workers import Workers
from ...supervisor import Root
from ...supervisor._current import HERE
from ._question import Fields

MOST_JOBS = 500
"""Jobs that are told of one pool, the oldest first."""
MOST_FRAMES = 100
_OWN = ("threading", "greenroom.actors.")


async def ask_threads(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with the pools and their jobs, the oldest first. A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    with_stack = fields.flag("stack")
    fields.done()
    await trio.sleep(0)
    frames = sys._current_frames() if with_stack else {}  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    try:
        return {"pools": [_pool(pool, frames, with_stack=with_stack) for pool in root.pools]}
    finally:
        del frames  # they hold the locals of every thread


def _pool(pool: Workers, frames: dict[int, FrameType], *, with_stack: bool) -> dict[str, Any]:
    now, holders = pool.statistics(), pool.holders()
    return {
        "pool": now.name,
        "size": now.size,
        "threads": now.threads,
        "busy": now.running,
        "waiting": now.queued,
        "waiting_seconds": round(now.waiting_seconds, 3),
        "parked": now.parked,
        "abandoned": len(now.abandoned),
        "jobs": [
            _job(job, stack_of(frames.get(ident)) if with_stack else None)
            for job, ident in holders[:MOST_JOBS]
        ],
        "more": max(0, len(holders) - MOST_JOBS),
    }


def _job(job: Job[Any], stack: list[str] | None) -> dict[str, Any]:
    return {
        "what": job.label,
        "thread": job.thread_name,
        "seconds": round(job.seconds_running(), 3),
        "path": path_of(job),
        "waits": job.waits,
        "abandoned": job.abandoned,
        "stack": stack,
    }


def path_of(job: Job[Any]) -> str:
    """Return the path of the actor or the request that *job* works for; "" if nobody knows."""
    life = job.value_of(current_life)
    if life is not None:
        return life.host.path
    request = job.value_of(HERE)
    return "" if request is None else request.path


def stack_of(frame: FrameType | None) -> list[str]:
    """Return where a thread is, outermost call first, from the code on that a pool has called."""
    frames = list(_frames(frame))[:MOST_FRAMES][::-1]
    names = [str(each.f_globals.get("__name__", "")) for each in frames]
    first = next((at for at, name in enumerate(names) if not name.startswith(_OWN)), 0)
    return [
        f"{each.f_code.co_filename}:{each.f_lineno} in {each.f_code.co_name}"
        for each in frames[first:]
    ]


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
