# Runs the suite twice, each library in a process of its own, beside each other, and keeps both
# results for as long as this process lives.

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports import free_port

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 110.0
"""How long a run may take; it takes some ten. Less than pytest's faulthandler_timeout."""


@dataclass
class Run:
    """
    What one library did: a line for each case, by name, and what its process printed.
    """

    lines: dict[str, dict[str, Any]]
    output: str

    def observed(self, name: str) -> Any:
        """Return what was observed; what went wrong fails the test."""
        line = self.lines.get(name)
        assert line is not None, f"its process ended before this case:\n{self.output[-4000:]}"
        assert "error" not in line, line["error"]
        return line["observed"]


@functools.cache
def results() -> dict[str, Run]:
    """Run both libraries; ``stock`` and ``greenroom``."""
    with ExitStack() as stack:
        environment = dict(os.environ)
        if shutil.which("redis-server"):
            environment["PARITY_REDIS"] = stack.enter_context(redis_server())
        started = {library: _start(library, environment) for library in ("stock", "greenroom")}
        return {library: _finish(*parts) for library, parts in started.items()}


def run_one(library: str) -> Run:
    """Run one library, or ``wrong``, without a Redis; what hangs by mistake hangs shortly."""
    return _finish(*_start(library, {**os.environ, "PARITY_SECONDS": "4"}))


def _start(library: str, environment: dict[str, str]) -> tuple[subprocess.Popen[str], Path]:
    file = Path(tempfile.mkdtemp(prefix="parity-")) / "results"
    process = subprocess.Popen(
        [sys.executable, "-m", "parity._run", library, str(file)],
        cwd=TESTS,
        env={**environment, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process, file


def _finish(process: subprocess.Popen[str], file: Path) -> Run:
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    text = file.read_text() if file.exists() else ""
    shutil.rmtree(file.parent)
    lines = [json.loads(line) for line in text.splitlines()]
    return Run({line["case"]: line for line in lines}, output)


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis of our own that keeps nothing, for a block; its URL."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=tempfile.gettempdir(),
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "redis-server does not listen"
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
