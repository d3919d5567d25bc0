# What the tests of thread pools share: work that a test lets go, and pools that end with it.

from __future__ import annotations

import math
import threading

import trio

from greenroom.actors._job import Job
from greenroom.actors._thread_hooks import ThreadHooks
from greenroom.actors._threads import ThreadPool

# How many seconds a thread waits for a test that has gone wrong before it gives up.
LONG = 20.0


class Gate:
    """Work that says when it began and returns the name of its thread when it is let go."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._open = threading.Event()
        self.began = trio.Event()

    def __call__(self) -> str:
        self._token.run_sync_soon(self.began.set)
        assert self._open.wait(LONG)
        return threading.current_thread().name

    def open(self) -> None:
        self._open.set()


class Bench:
    """Makes pools and gates, and lets go and closes what a test left behind."""

    def __init__(self) -> None:
        self.pools: list[ThreadPool] = []
        self.gates: list[Gate] = []

    def pool(
        self,
        size: int = 1,
        *,
        hooks: ThreadHooks | None = None,
        idle_seconds: float = 1000.0,
        spare: int = 32,
    ) -> ThreadPool:
        hooks = hooks or ThreadHooks()
        pool = ThreadPool("pool", size, hooks=hooks, idle_seconds=idle_seconds, spare=spare)
        self.pools.append(pool)
        return pool

    def gate(self) -> Gate:
        self.gates.append(Gate())
        return self.gates[-1]

    async def aclose(self) -> None:
        """Let everything go and wait until no thread is left."""
        for gate in self.gates:
            gate.open()
        for pool in self.pools:
            await pool.aclose(timeout=math.inf)
            assert pool.statistics().threads == 0


async def begun(pool: ThreadPool, gate: Gate, label: str = "gate") -> Job[str]:
    """Submit *gate* and wait until a thread runs it."""
    job = pool.submit(gate, label=label)
    await gate.began.wait()
    return job
