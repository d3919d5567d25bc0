# The real nginx and the real HAProxy in front of a server of ours, with the very configurations
# that the documentation prints.

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from e2e._server import WAIT_SECONDS, Server

CONFIGURATIONS = Path(__file__).resolve().parents[2] / "docs" / "examples" / "proxies"

_NGINX = """
daemon off;
master_process off;
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


class Proxy:
    """A running proxy in front of *server*; ``host`` and ``port`` are where it listens."""

    def __init__(self, name: str, server: Server, folder: Path) -> None:
        program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            pytest.skip(f"needs {name}: apt-get install {name}")
        self.host = "127.0.0.1"
        with socket.create_server((self.host, 0)) as free:
            self.port = free.getsockname()[1]
        configuration = folder / f"{name}.conf"
        configuration.write_text(self._configuration(name, server, folder))
        command = [program, "-c", str(configuration), "-p", str(folder)]
        if name == "haproxy":
            command = [program, "-db", "-f", str(configuration)]
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_it_listens()

    def _configuration(self, name: str, server: Server, folder: Path) -> str:
        (printed,) = CONFIGURATIONS.glob(f"{name}.*")
        text = printed.read_text()
        for old, new in (
            ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("bind :80", f"bind 127.0.0.1:{self.port}"),
        ):
            text = text.replace(old, new)
        assert f"127.0.0.1:{self.port}" in text
        return _NGINX.format(folder=folder, ours=text) if name == "nginx" else text

    def _wait_until_it_listens(self) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), 1).close()
            except OSError:
                time.sleep(0.05)  # another program: nothing tells when it is there
            else:
                return
        self.stop()
        raise AssertionError(f"it does not listen:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End it at once, and with it all that goes through it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
