# A real Redis for tests: a throw-away server on a free port and a Unix socket, nothing stored.

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from free_ports import free_port

SECONDS = 20
NEEDED = "needs redis-server: apt-get install redis-server"


class RedisServer:
    """
    A running server; `stop` ends it and removes its folder.

    Skips the test, with a word what to install, where Redis is missing.
    """

    def __init__(self, *options: str, port: int | None = None) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip(NEEDED)
        self._program = program
        self._config = [each for each in options[:1] if each.endswith(".conf")]
        self._options = options[len(self._config) :]
        self.port = port or free_port()
        self.folder = Path(
            tempfile.mkdtemp(prefix="redis-", dir="/tmp")
        )  # a socket's path is short
        self.socket = self.folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.halt()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def client(self) -> Any:
        """Return a client, to be closed."""
        return redis.Redis(port=self.port)

    def info(self, section: str) -> dict[str, Any]:
        """Return what INFO says of *section*."""
        with redis.Redis(port=self.port) as client:
            return client.info(section)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty, and wait until it takes connections."""
        command = [self._program, *self._config, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--unixsocket", str(self.socket), "--dir", str(self.folder), *self._options]
        if "--sentinel" not in self._options:
            command += ["--save", ""]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        until = time.monotonic() + SECONDS
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self.ask("PING")[:1] in {b"+", b"-"}  # or wants to know who asks
        except OSError:
            return False

    def ask(self, *command: str) -> bytes:
        """Send *command* and return the first line of the answer, as it comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(" ".join(command).encode() + b"\r\n")
            return connection.makefile("rb").readline().strip()

    def halt(self) -> None:
        """Kill it, as a failing machine does: all it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again, empty."""
        self.halt()
        self.start()

    def stop(self) -> None:
        """End it for good."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """Run a server of its own for a block."""
    server = RedisServer(*options)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_sentinel(primary: RedisServer, name: str) -> Iterator[RedisServer]:
    """Run one sentinel, which alone decides, for *primary* under *name*."""
    config = primary.folder / "sentinel.conf"
    config.write_text(
        f"sentinel monitor {name} 127.0.0.1 {primary.port} 1\n"
        f"sentinel down-after-milliseconds {name} 300\n"
        f"sentinel failover-timeout {name} 2000\n"
    )
    with running_redis(str(config), "--sentinel") as sentinel:
        yield sentinel
