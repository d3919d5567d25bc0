# The real command, `python -m hypercorn -k trio`, as a subprocess on a free port, and small
# clients for it. Nothing here sleeps: every wait is for output, a socket or a process, with a
# deadline that fails with the server's output shown.

import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket

APPS = Path(__file__).resolve().parent / "apps"
START_SECONDS = 60.0
WAIT_SECONDS = 30.0  # a loaded machine is slow; a test that passes waits for none of it


class Server:
    """
    hypercorn, serving *target* (``module:application``); a context manager.

    Every process of it is in a process group of its own, so that signals can be sent to the
    group and nothing outlives the test.
    """

    def __init__(
        self,
        target: str,
        *arguments: str,
        worker: str = "trio",
        cwd: Path = APPS,
        env: dict[str, str] | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.fresh: dict[str, Any] = {}
        """For tests that compare: what /facts said before anything happened."""
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._command = [sys.executable, "-m", "hypercorn", "-k", worker]
        self._command += ["--bind", f"{self.host}:0", *arguments, target]
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._cwd = cwd

    # -- its life -------------------------------------------------------------------------

    def __enter__(self) -> "Server":
        self.start()
        running = self.wait_for_line(r"Running on http://\S+:(\d+)", seconds=START_SECONDS)
        self.port = int(running[1])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status = self.stop()
        if error is None and status not in (0, -signal.SIGTERM, -signal.SIGKILL):
            raise AssertionError(self.explain(f"it ended with {status}"))
        sys.stdout.write(self.output)  # pytest shows it beside a failure

    def start(self) -> None:
        """Start it and return at once."""
        self.process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=[self.process.stdout])
        self._reader.start()

    def stop(self) -> int:
        """End it as a service manager would, by force if need be; return the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        self.kill()
        return status

    def kill(self) -> None:
        """End whatever is left of it, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def wait_end(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait until it has ended and all that it said was read; return the exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.explain(f"it still ran after {seconds:g} s")) from None
        self._reader.join(seconds)
        return status

    def signal(self, number: signal.Signals, to: str = "master") -> None:
        """Send a signal to the ``master``, the ``worker`` or the whole ``group``."""
        if to == "master":
            self.process.send_signal(number)
        elif to == "group":
            os.killpg(self.process.pid, number)
        else:
            os.kill(self.worker_pid(), number)

    def worker_pid(self) -> int:
        """Return the process that serves: the one that answers requests."""
        return int(self.facts()["pid"])

    # -- what it says ---------------------------------------------------------------------

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        """All it has written so far."""
        return "".join(self._lines)

    def mark(self) -> int:
        """Where the output stands now, for `said`."""
        return len(self._lines)

    def said(self, mark: int = 0) -> str:
        """What it has written since *mark*."""
        return "".join(self._lines[mark:])

    def wait_for_line(
        self, pattern: str, mark: int = 0, seconds: float = WAIT_SECONDS
    ) -> re.Match[str]:
        """Wait until a line written since *mark* matches *pattern*."""
        until = time.monotonic() + seconds
        with self._news:
            while True:
                for line in self._lines[mark:]:
                    if found := re.search(pattern, line):
                        return found
                left = until - time.monotonic()
                if self._ended or left <= 0:
                    what = "ended" if self._ended else f"ran {seconds:g} s"
                    raise AssertionError(self.explain(f"it {what} without saying {pattern!r}"))
                self._news.wait(left)

    def explain(self, what: str) -> str:
        """Put *what* above all that the server has said."""
        return f"{what}. The server said:\n{self.output or '(nothing)'}"

    # -- plain HTTP -----------------------------------------------------------------------

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for *path*; return the status and the body."""
        try:
            url = f"http://{self.host}:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=WAIT_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError as error:
            raise AssertionError(self.explain(f"no answer to {path}: {error!r}")) from error

    def facts(self) -> dict[str, Any]:
        """What the application in `apps` says of itself at /facts."""
        return json.loads(self.get("/facts")[1])

    def count(self, name: str) -> int:
        """How often the application has counted *name*."""
        return self.facts()["counts"].get(name, 0)

    def until_count(self, name: str, number: int) -> None:
        """Wait until the application has counted *name* so often, and not more often."""
        self.until(f"{name} {number} times", lambda: self.count(name) >= number)
        assert self.count(name) == number, self.explain(f"{name} more than {number} times")

    def until_fresh(self, fresh: Mapping[str, Any]) -> None:
        """Wait until no more tasks and descriptors are there than in *fresh*, facts of before."""

        facts: dict[str, Any] = {}

        def is_fresh() -> bool:
            facts.update(self.facts())
            # Fewer are no leak: the test before may not have been over.
            no_tasks = Counter(facts["tasks"]) <= Counter(fresh["tasks"])
            return no_tasks and facts["descriptors"] <= fresh["descriptors"]

        try:
            self.until("no more tasks and descriptors than before", is_fresh)
        except AssertionError as error:
            raise AssertionError(f"before: {dict(fresh)}; now: {facts}. {error}") from None

    def tree(self) -> dict[str, Any]:
        """The tree, as the application in `apps` gives it at /tree."""
        return json.loads(self.get("/tree")[1])

    def slots(self, route: str) -> list[dict[str, Any]]:
        """The slots below /connections/*route*."""
        connections = next(
            node for node in self.tree()["children"] if node["path"] == "/connections"
        )
        found = [node for node in connections["children"] if node["name"] == route]
        return found[0]["children"] if found else []

    def slot(self, route: str) -> dict[str, Any]:
        """The one slot below /connections/*route*."""
        (only,) = self.slots(route)
        return only

    def settle(self) -> None:
        """
        Wait until nothing is open but the request that asks.

        For servers that several tests share: a connection that the last test has closed may
        still be ending, and would be counted by the next.
        """
        self.until("nothing is open", lambda: self.facts()["open"] == 1)

    def until(self, what: str, check: Callable[[], object], seconds: float = WAIT_SECONDS) -> Any:
        """
        Ask again and again until *check* gives something true, and return that.

        For what no event tells from outside, such as a file descriptor that is gone. Each
        question is a request to the server, so this is no busy wait.
        """
        until = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() > until:
                raise AssertionError(self.explain(f"not within {seconds:g} s: {what}"))
        return found


@asynccontextmanager
async def dial(server: Any, path: str = "/") -> AsyncIterator[WebSocketConnection]:
    """Open a WebSocket as anybody would, with trio-websocket; *server* has a ``port``."""
    async with open_websocket("127.0.0.1", server.port, path, use_ssl=False) as socket:
        try:
            yield socket
        finally:
            # trio-websocket 0.12 leaves the TCP socket to the garbage collector where
            # the server closed first.
            with trio.CancelScope(shield=True):
                await socket.aclose()
                await socket._stream.aclose()


async def ask(socket: WebSocketConnection, message: str | bytes) -> str:
    """Send *message* and return the next message that comes."""
    with trio.fail_after(WAIT_SECONDS):
        await socket.send_message(message)
        return str(await socket.get_message())


async def close_code(socket: WebSocketConnection) -> int:
    """Read until the server closes *socket*; return the code."""
    with trio.fail_after(WAIT_SECONDS), suppress(ConnectionClosed):
        while True:
            await socket.get_message()
    assert socket.closed is not None
    return socket.closed.code


async def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call one of the server's methods, which block, beside the test's sockets."""
    return await trio.to_thread.run_sync(
        functools.partial(function, *args, **kwargs), abandon_on_cancel=True
    )
