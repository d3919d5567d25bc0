# One run: start a server, load it, look at it meanwhile, stop it.

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from .environment import SERVERS as SERVERS_FOLDER
from .environment import Environment
from .processes import Sample, memory_kib
from .workloads import Server, Workload

START_SECONDS = 30.0
IDLE_SECONDS = 1.0

Result = dict[str, float]


class Failed(Exception):  # noqa: N818 - a fact about one run
    """A run that gave no figure: the server did not start, or an answer was wrong."""


@dataclass(frozen=True)
class Settings:
    """
    How each run is made.

    ``cores`` are the server's and the client's; ``priority`` is their real-time priority,
    0 for none; the rest is in seconds.
    """

    cores: tuple[int, int]
    priority: int
    seconds: float
    warmup: float

    def pinned(self, side: int) -> list[str]:
        """Return the beginning of a command that runs on the core of *side*."""
        real_time = ["chrt", "-r", str(self.priority)] if self.priority else []
        return [*real_time, "taskset", "-c", str(self.cores[side])]


def may_be_real_time(priority: int) -> bool:
    """Say whether this user may give processes that real-time priority."""
    command = ["chrt", "-r", str(priority), "true"]
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def run(made: Environment, server: Server, workload: Workload, settings: Settings) -> Result:
    """
    Measure *workload* once on a fresh *server*; return its figures.

    Raises:
        Failed: There is no figure, and why.
    """
    with serving(made, server, workload, settings) as (pid, port):
        if workload.mode != "idle":
            return load(made, pid, port, workload, settings)
        # One connection first, so that lazy imports do not count.
        first = replace(workload, mode="echo", connections=1)
        load(made, pid, port, first, replace(settings, warmup=0.1, seconds=0.2))
        before = memory_kib(pid)
        result = load(made, pid, port, workload, settings)
        result["kib"] = (result["memory_kib"] - before) / workload.connections
        return result


@contextmanager
def serving(
    made: Environment, server: Server, workload: Workload, settings: Settings
) -> Iterator[tuple[int, int]]:
    """Have *server* run in a process group of its own; yield its pid and port."""
    port = free_port()
    command = server.command(http=workload.http).format(port=port)
    log = made.folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*settings.pinned(0), *shlex.split(command)],
            cwd=SERVERS_FOLDER,
            env={**os.environ, **made.variables, **workload.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(process, port)
        yield process.pid, port
    except Failed as failed:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(" | ".join([str(failed), *last])) from None
    finally:
        stop(process)


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Return as soon as the server takes connections."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed("the server did not start")
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            time.sleep(0.3)  # what it still does behind its first accept
            return
        time.sleep(0.05)
    raise Failed("the server never listened")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and all that it started."""
    for how, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    with suppress(ProcessLookupError):  # what outlived the first of them
        os.killpg(process.pid, signal.SIGKILL)


def load(made: Environment, pid: int, port: int, workload: Workload, settings: Settings) -> Result:
    """Run the load client, with a look at the server where it says so."""
    arguments = [workload.mode, port, workload.path, workload.connections, workload.inflight]
    arguments += [settings.warmup, settings.seconds]
    with subprocess.Popen(
        [*settings.pinned(1), str(made.client), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        try:
            result = follow(client.stdout, client.stdin, pid, settings.cores[0])
        finally:
            client.kill()
    if rate := result.get("rate"):
        result["cpu_us"] = result["server_cpu"] / rate * 1e6
    return result


def follow(output: IO[str], stdin: IO[str], pid: int, core: int) -> Result:
    """Read what the client says until it gives its result; return that and what was seen."""
    seen: Result = {}
    start = Sample(pid, core)
    for line in map(str.strip, output):
        if line == "MEASURE":
            start = Sample(pid, core)
        elif line == "END":
            seen |= Sample(pid, core).since(start)
        elif line == "READY":
            time.sleep(IDLE_SECONDS)
            seen["memory_kib"] = memory_kib(pid)
            stdin.write("go\n")
            stdin.flush()
        else:
            said = cast("dict[str, Any]", json.loads(line))
            if "error" in said:
                raise Failed(said["error"])
            return {**said, **seen}
    raise Failed("the load client ended without a word")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
