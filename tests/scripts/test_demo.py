# `make demo` without make: scripts/demo.py on the real project, a real server, real signals.

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import ports
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


class Demo:
    """A running `make demo`, read line by line."""

    def __init__(self, data: Path, stdin: int | None = None, **variables: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "demo.py")],
            env={**os.environ, "DEMO_DATA_DIR": str(data), **variables},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a group of its own, as a terminal gives it
        )
        # Whatever goes wrong, no read below waits for ever.
        self._watchdog = threading.Timer(90, self.stop)
        self._watchdog.start()

    def read_until(self, text: str) -> str:
        """Return the first line with *text*; fail with all lines if none comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        pytest.fail(f"no line with {text!r}:\n{self.output}")

    def ctrl_c(self) -> int:
        """Send SIGINT to the group, read to the end, return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def end(self) -> int:
        """Read to the end and return the exit code."""
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)
        return self.process.wait()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def stop(self) -> None:
        """Ask the script to end, which takes the server along."""
        if self.process.poll() is None:
            self.process.terminate()

    def close(self) -> None:
        self._watchdog.cancel()
        self.stop()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """
    A port that somebody else listens on.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    """
    A port that nobody listens on just now.
    """
    return ports.free_port()


@pytest.mark.slow
def test_it_prints_an_address_that_answers_and_stops_on_ctrl_c(
    tmp_path: Path, free_port: int
) -> None:
    """
    The printed address shows the chat; Ctrl-C ends server and script with 0 and no traceback.
    """
    demo = Demo(tmp_path, PORT=str(free_port))
    try:
        assert "hypercorn -k trio" in demo.read_until("hypercorn -k trio")
        address = demo.read_until("    http://").strip()
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.status == 200
        demo.read_until("Ctrl-C stops it")

        assert demo.ctrl_c() == 0, demo.output
        assert "Traceback" not in demo.output, demo.output
        assert "did not stop" not in demo.output, demo.output
        assert (tmp_path / "db.sqlite3").exists()
    finally:
        demo.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_the_server_too(
    tmp_path: Path, free_port: int, number: signal.Signals
) -> None:
    """
    A process manager's SIGTERM and a closed terminal's SIGHUP stop the server as well.
    """
    demo = Demo(tmp_path, PORT=str(free_port))
    try:
        demo.read_until("Ctrl-C stops it")
        demo.process.send_signal(number)

        assert demo.end() == 0, demo.output
        assert "Traceback" not in demo.output, demo.output
        assert "did not stop" not in demo.output, demo.output
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port))
    finally:
        demo.close()


@pytest.mark.slow
def test_the_server_ends_with_a_script_that_is_killed(tmp_path: Path, free_port: int) -> None:
    """
    SIGKILL to the script leaves no server behind on its port.
    """
    demo = Demo(tmp_path, PORT=str(free_port))
    try:
        demo.read_until("Ctrl-C stops it")
        demo.process.kill()

        assert demo.end() == -signal.SIGKILL  # which reads until the server, too, has ended
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port))
    finally:
        demo.close()


@pytest.mark.slow
def test_a_terminal_that_closes_without_sighup_stops_the_server(
    tmp_path: Path, free_port: int
) -> None:
    """
    The end of the terminal is seen also where SIGHUP goes to somebody else.
    """
    terminal, stdin = pty.openpty()
    demo = Demo(tmp_path, stdin=stdin, PORT=str(free_port))
    os.close(stdin)
    try:
        demo.read_until("Ctrl-C stops it")
        os.close(terminal)

        assert demo.end() == 0, demo.output
        assert "Traceback" not in demo.output, demo.output
    finally:
        demo.close()


def test_a_port_asked_for_and_taken_is_one_line(tmp_path: Path, taken_port: int) -> None:
    """
    PORT names a port that is taken: one line with the remedy, and nothing was started.
    """
    demo = Demo(tmp_path, PORT=str(taken_port))
    try:
        assert demo.end() == 1
        assert demo.output == (
            f"greenroom: port {taken_port} is taken: choose another one, `make demo PORT=...`.\n"
        )
    finally:
        demo.close()


def test_a_port_that_is_no_port_is_one_line(tmp_path: Path) -> None:
    """
    PORT is checked before anything is done.
    """
    demo = Demo(tmp_path, PORT="http")
    try:
        assert demo.end() == 1
        assert demo.output == ("greenroom: PORT must be a number from 1 to 65535. Got: 'http'\n")
    finally:
        demo.close()
