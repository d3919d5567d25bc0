# The second layer: exit paths under real servers, seen by a client that nobody here wrote.
#
# Channels is served by `hypercorn -k asyncio`, Greenroom by `hypercorn -k trio`; the application
# is served.py for both. A case is given a Server and returns what was observed.

import functools
import importlib
import json
import os
import pkgutil
import shutil
import signal
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.conftest import Served, hypercorn
from parity._cases import Different
from parity._rows import ROWS
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 20.0
SETTLED = 0.6
"""How long nothing may be noted any more, when the application is through with a connection."""
SILENT = 5.0
"""And how long, if it is not: before it is believed that nothing will be."""
OVER = ["over", None]


@dataclass(frozen=True)
class ServerCase:
    """
    A case of this layer; see `Case` for the fields.

    Args:
        own: It ends its server, and gets one of its own.
    """

    name: str
    row: str
    fact: str
    function: Callable[["Server"], Any]
    own: bool = False
    different: Different | None = None


SERVER_CASES: dict[str, ServerCase] = {}


def server_case(
    row: str, fact: str, *, own: bool = False, different: Different | None = None
) -> Callable[[Callable[["Server"], Any]], Callable[["Server"], Any]]:
    """Enter a function into the table."""

    def enter(function: Callable[[Server], Any]) -> Callable[[Server], Any]:
        name = function.__name__
        assert name not in SERVER_CASES
        SERVER_CASES[name] = ServerCase(name, row, fact, function, own, different)
        return function

    return enter


def all_server_cases() -> dict[str, ServerCase]:
    """Import all modules of cases and return the table, in the order of the rows."""
    package = importlib.import_module("parity.served_cases")
    for module in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"parity.served_cases.{module}")
    rows = list(ROWS)
    return dict(sorted(SERVER_CASES.items(), key=lambda item: rows.index(item[1].row)))


class Server:
    """
    A running server of one library.

    Args:
        library: ``stock`` or ``greenroom``.
    """

    def __init__(self, library: str) -> None:
        stock = library == "stock"
        self.folder = Path(tempfile.mkdtemp(prefix="parity-"))
        self._log = self.folder / "log"
        self._log.touch()
        self.served = Served(
            hypercorn(
                "parity.served:application",
                *("--graceful-timeout", "1"),
                worker="asyncio" if stock else "trio",
            ),
            TESTS,
            {
                "PYTHONPATH": str(TESTS),
                "PARITY_LOG": str(self._log),
                "PARITY_PACKAGE": "channels" if stock else "greenroom.bridges.channels",
            },
        )
        self.served.wait_ready()

    def close(self) -> None:
        """End it."""
        self.served.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, path: str, who: str, **more: Any) -> ClientConnection:
        """Open a WebSocket; *who* is what its notes are found by."""
        url = f"ws://{self.served.host}/{path}?{who}"
        return connect(url, open_timeout=SECONDS, close_timeout=SECONDS, **more)

    def refusal(self, path: str, who: str, **more: Any) -> Any:
        """Open a WebSocket that is expected to be refused: the status of the answer."""
        try:
            with self.connect(path, who, **more):
                return "accepted"
        except InvalidStatus as error:
            return error.response.status_code
        except (InvalidHandshake, EOFError, OSError) as error:
            return type(error).__name__

    def seen(self, client: ClientConnection, seconds: float = SECONDS) -> Any:
        """Read to the end: the frames, then close code and reason, if they come in *seconds*."""
        frames: list[Any] = []
        try:
            while True:
                frames.append(client.recv(timeout=seconds))
        except ConnectionClosed as closed:
            received = closed.rcvd
            end = [received.code, received.reason] if received else "no close frame"
        except TimeoutError:
            end = "no close frame"
        return [*frames, end]

    def notes(self, who: str) -> list[Any]:
        """Wait until no more is noted of *who*: what happened to it, and the groups it has left."""
        deadline = time.monotonic() + SECONDS
        before, since, patience = -1, time.monotonic(), SILENT
        while time.monotonic() < min(deadline, since + patience):
            lines = [json.loads(line) for line in self._log.read_text().splitlines()]
            found = [[event, value] for name, event, value in lines if name == who]
            if len(found) != before:
                before, since = len(found), time.monotonic()
                patience = SETTLED if OVER in found else SILENT
            time.sleep(0.02)
        return [each for each in found if each != OVER]

    def groups(self, who: str) -> list[str]:
        """The groups of this connection that still have members."""
        with urllib.request.urlopen(f"http://{self.served.host}/", timeout=SECONDS) as answer:
            return [name for name in json.loads(answer.read()) if name == who]

    def after(self, who: str) -> dict[str, Any]:
        """Notes and groups, when all is over."""
        return {"notes": self.notes(who), "groups": len(self.groups(who))}

    def answers(self) -> bool:
        """Whether it still serves."""
        with suppress(OSError):
            self.groups("")
            return True
        return False

    def terminate(self) -> None:
        """Send what a service manager sends."""
        os.kill(self.served.process.pid, signal.SIGTERM)


@functools.cache
def server_results() -> dict[str, dict[str, Any]]:
    """Run all cases of this layer, both libraries beside each other."""
    cases = all_server_cases()
    with ThreadPoolExecutor(2) as pool:
        runs = {library: pool.submit(run_all, library, cases) for library in ("stock", "greenroom")}
        return {library: run.result() for library, run in runs.items()}


def run_all(library: str, cases: dict[str, ServerCase]) -> dict[str, Any]:
    """Run *cases* with one library; an exception stands for what went wrong."""
    common = Server(library)
    lock = threading.Lock()

    def run(one: ServerCase) -> Any:
        server = Server(library) if one.own else common
        try:
            return json.loads(json.dumps(one.function(server)))
        except Exception as error:
            return AssertionError(f"{error!r}\n{server.served.output[-4000:]}")
        finally:
            if one.own:
                with lock:
                    server.close()

    try:
        with ThreadPoolExecutor(6) as pool:
            return dict(zip(cases, pool.map(run, cases.values()), strict=True))
    finally:
        common.close()
