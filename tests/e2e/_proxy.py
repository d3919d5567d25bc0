# The real nginx and the real HAProxy in front of a server of ours, with the very configurations
# that the documentation prints.

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from e2e._server import WAIT_SECONDS
from free_ports import free_port

PRINTED = Path(__file__).resolve().parents[2] / "docs" / "examples" / "proxies"
"""What docs/how-to/deploy.md prints."""

# A worker of its own user could not go into pytest's folders.
_NGINX = """
daemon off;
user root;
pid {folder}/pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{ours}
}}
"""

GENTLE = {"nginx": signal.SIGQUIT, "haproxy": signal.SIGUSR1}
"""What makes them take nothing new and leave when the last connection has ended."""


class Proxy:
    """
    A running proxy; ``host`` and ``port`` are where it listens.

    Args:
        name: ``nginx`` or ``haproxy``.
        server: Whatever has the ``port`` of the server behind it.
        folder: For its files.
        changes: What is replaced in the printed configuration, by what.
    """

    def __init__(
        self,
        name: str,
        server: Any,
        folder: Path,
        changes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            pytest.skip(f"needs {name}: apt-get install {name}")
        self.name = name
        self.host = "127.0.0.1"
        self.port = free_port()
        configuration = folder / f"{name}.conf"
        configuration.write_text(self._configuration(server, folder, changes))
        self._command = [program, "-c", str(configuration), "-p", str(folder)]
        if name == "haproxy":
            self._command = [program, "-db", "-f", str(configuration)]
        self._log = folder / "log"
        self.start()

    def _configuration(self, server: Any, folder: Path, changes: Mapping[str, str]) -> str:
        (printed,) = PRINTED.glob(f"{self.name}.*")
        text = printed.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        for old, new in (
            ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            ("listen 80", f"listen 127.0.0.1:{self.port}"),
            ("bind :80", f"bind 127.0.0.1:{self.port}"),
        ):
            text = text.replace(old, new)
        assert f"127.0.0.1:{self.port}" in text
        return _NGINX.format(folder=folder, ours=text) if self.name == "nginx" else text

    def start(self) -> None:
        """Start it, again if need be, and wait until it listens."""
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if self.listens():
                return
            time.sleep(0.05)  # another program: nothing tells when it is there
        self.stop()
        raise AssertionError(f"it does not listen:\n{self._log.read_text()}")

    def listens(self) -> bool:
        """Whether it takes connections."""
        try:
            socket.create_connection((self.host, self.port), 1).close()
        except OSError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; SIGKILL ends its workers, too, as the end of its machine would."""
        if number is signal.SIGKILL:
            self.stop()
        else:
            self.process.send_signal(number)

    def wait_ended(self) -> int:
        """Wait until it has ended by itself; return the exit status."""
        return self.process.wait(WAIT_SECONDS)

    def stop(self) -> None:
        """End it at once, and with it all that goes through it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
