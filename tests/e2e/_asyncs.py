# The project in `asyncs` under the real `hypercorn -k trio`, and clients that do not behave.

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from e2e._memory import Memory
from e2e.conftest import SECONDS, Served, serve_project

FOLDER = Path(__file__).resolve().parent / "asyncs"


class Reader:
    """One TCP connection that asks for a path, and reads no more than it is told to."""

    def __init__(self, port: int, path: str, method: str = "GET", *lines: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", port))
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        self.got = b""

    def until(self, end: bytes) -> bytes:
        """Read until *end* has come."""
        while end not in self.got:
            more = self.socket.recv(4096)
            assert more, self.got[:1000]
            self.got += more
        return self.got


class Asyncs:
    """The served project."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served, self.folder = served, folder
        self._facts = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SECONDS)

    def close(self) -> None:
        """Ask no more."""
        self._facts.close()

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask, and read to the end."""
        client = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=SECONDS)
        with closing(client):
            client.request(method, path, body)
            response = client.getresponse()
            return response, response.read()

    def text(self, path: str) -> str:
        """The body of an answer that must be 200."""
        response, body = self.ask(path)
        assert response.status == 200, body
        return body.decode()

    @contextmanager
    def reader(self, path: str, method: str = "GET", *lines: str) -> Iterator[Reader]:
        """A client that leaves at the end of the block."""
        reader = Reader(self.served.port, path, method, *lines)
        with reader.socket:
            yield reader

    def facts(self) -> dict[str, Any]:
        """What the project says of itself."""
        try:
            return self._ask_facts()
        except ConnectionError:
            self._facts.close()  # it was idle for longer than the server keeps it
            return self._ask_facts()

    def _ask_facts(self) -> dict[str, Any]:
        self._facts.request("GET", "/facts/")
        return json.loads(self._facts.getresponse().read())

    def others(self) -> list[dict[str, Any]]:
        """What the tree says of all requests but the one that asks."""
        return [each for each in self.facts()["requests"] if each["request"] != "GET /facts/"]

    def threads_of_others(self) -> int:
        """How many threads views have, but for the one that asks."""
        now = self.facts()
        return now["running"] + now["parked"] - 1

    def count(self, name: str) -> int:
        """How often *name* was counted."""
        return self.facts()["counts"].get(name, 0)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until *condition*, which asks the server, is true; return that."""
        give_up = time.monotonic() + SECONDS
        while not (found := condition()):
            assert time.monotonic() < give_up, f"{self.facts()}\n{self.served.output}"
        return found

    def until_counted(self, name: str) -> None:
        """Wait until *name* was counted once, and not more often."""
        self.until(lambda: self.count(name))
        assert self.count(name) == 1

    def standing(self, name: str) -> int:
        """Wait until what is counted as *name* grows no more, and return it."""
        seen = [-1] * 10
        while len(set(seen)) > 1 or seen[-1] <= 0:
            seen = [*seen[1:], self.count(name)]
        return seen[-1]

    def settle(self) -> None:
        """Wait until nothing runs and is open but what is asked now; count from nothing."""
        self.until(self._is_quiet)
        assert self.text("/clear/") == ""
        self.until(self._is_quiet)  # who was answered may have its thread yet

    def _is_quiet(self) -> bool:
        now = self.facts()
        held = now["running"] + now["parked"]  # by who asks
        return (held, now["abandoned"], now["files"], len(now["requests"])) == (1, 0, 0, 1)

    def memory(self) -> Memory:
        """What the worker takes from now on."""
        return Memory(self.facts()["pid"])


@contextmanager
def asyncs(folder: Path, settings: str = "", **kwargs: Any) -> Iterator[Asyncs]:
    """Serve the project; no error of the server's own may be left unsaid."""
    environment = {
        "ASYNCS_FOLDER": str(folder),
        "ASYNCS_SETTINGS": settings,
        "PYTHONWARNINGS": "default",
    }
    application = kwargs.pop("application", "asyncsite.asgi:application")
    with serve_project(application, folder=FOLDER, **environment, **kwargs) as served:
        with closing(Asyncs(served, folder)) as server:
            yield server
        served.stop()
    assert "Warning" not in served.output, served.output
    assert "garbage" not in served.output, served.output
