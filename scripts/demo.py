# `make demo`: the chat of docs/examples/chat under `hypercorn -k trio`, ready to be clicked.
#
# Prepares the database, takes port 8000 or the next free one, starts the literal command, prints
# the address once the page answers. The server has a process group of its own, so that a Ctrl-C, a
# closed terminal and a process manager all take one way: the signal comes here, SIGTERM goes to
# hypercorn, and this script waits for its end; a server that hangs is killed with its workers. The
# kernel stops hypercorn where this script is killed.

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "docs" / "examples" / "chat"
BIN = Path(sys.executable).parent
HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8000, 8099
START_SECONDS = 60
STOP_SECONDS = 30


def main() -> int:
    """Run the demo until it is stopped; return the exit code."""
    port = choose_port()
    prepare_database()
    command = ["hypercorn", "-k", "trio", "--bind", f"{HOST}:{port}", "mysite.asgi:application"]
    say(f"cd {os.path.relpath(PROJECT)} && {' '.join(command)}")
    with Server([str(BIN / command[0]), *command[1:]]) as server:
        if not server.wait_until_answering(f"http://{HOST}:{port}/"):
            return server.failed()
        say(
            "the chat is open",
            "",
            f"    http://{HOST}:{port}/",
            "",
            "  type /crash in a room: the consumer dies, the socket stays open",
            f"  staff pages: http://{HOST}:{port}/admin/ (user admin, password admin)",
            "  another staff user: "
            f"{os.path.relpath(sys.executable)} {os.path.relpath(PROJECT / 'manage.py')}"
            " createsuperuser",
            "  Ctrl-C stops it",
        )
        return server.wait()


def choose_port() -> int:
    """Return PORT from the environment, or else the first free port from 8000 on."""
    asked = os.environ.get("PORT")
    if asked is not None:
        if not asked.isdigit() or not 0 < int(asked) < 65536:
            sys.exit(f"greenroom: PORT must be a number from 1 to 65535. Got: {asked!r}")
        if not is_free(int(asked)):
            sys.exit(f"greenroom: port {asked} is taken: choose another one, `make demo PORT=...`.")
        return int(asked)
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if is_free(port):
            if port != FIRST_PORT:
                say(f"port {FIRST_PORT} is taken; using {port}")
            return port
    sys.exit(f"greenroom: ports {FIRST_PORT} to {LAST_PORT} are taken: `make demo PORT=...`.")


def is_free(port: int) -> bool:
    """Say whether a server could listen on *port* now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def prepare_database() -> None:
    """Migrate SQLite and make what the demo shows; safe to repeat."""
    command = [sys.executable, "manage.py", "prepare_demo"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.writelines(f"  {line}\n" for line in done.stderr.splitlines()[-15:])
        sys.exit("greenroom: the database could not be prepared; the reason stands above.")


class Server:
    """The hypercorn process, which never outlives this script."""

    def __init__(self, command: list[str]) -> None:
        self._kill_at: float | None = None  # set once it was asked to stop
        self._has_terminal = os.isatty(0)
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            process_group=0,
            preexec_fn=stop_with_parent,  # noqa: PLW1509 - there is no other thread
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        if self._running():
            self._on_signal(signal.SIGTERM, None)
            self.wait()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + STOP_SECONDS
        if self._running():
            self._process.terminate()

    def wait_until_answering(self, address: str) -> bool:
        """Poll *address*; return False when the server ended or START_SECONDS are over."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._running() and self._kill_at is None:
            try:
                with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own address
                    return True
            except urllib.error.HTTPError:
                return True  # it answers, if only to complain; the page says why
            except OSError:
                time.sleep(0.1)
        return False

    def _running(self) -> bool:
        return self._process.poll() is None

    def failed(self) -> int:
        """Return the exit code for a server that never answered, after saying so."""
        if self._kill_at is not None:
            return 0
        if self._running():
            say(f"the server did not answer within {START_SECONDS} seconds; stopping it")
        else:
            say("the server ended before it answered; what it said stands above")
        return 1

    def wait(self) -> int:
        """Wait for the end; return 0 where it was asked for, else the server's exit code."""
        while self._running():
            try:
                self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self._has_terminal and hung_up():
                    self._on_signal(signal.SIGHUP, None)
                if self._kill_at is not None and time.monotonic() > self._kill_at:
                    say(f"the server did not stop within {STOP_SECONDS} seconds; killing it")
                    os.killpg(self._process.pid, signal.SIGKILL)
        return 0 if self._kill_at is not None else self._process.returncode


def stop_with_parent() -> None:
    """In the child: ask Linux for SIGTERM when this script ends, also by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def hung_up() -> bool:
    """
    Say whether the terminal was closed. SIGHUP does not tell where make is its first process, as in
    `ssh -t host make demo`: then make alone gets it, and waits for us.
    """
    poll = select.poll()
    poll.register(0, 0)  # a hang-up is reported unasked
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def say(*lines: str) -> None:
    """Print *lines* at once, also into a pipe."""
    print("greenroom:", "\n".join(lines), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
