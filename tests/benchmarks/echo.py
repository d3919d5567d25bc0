"""Echo over real sockets, side by side: a bare ASGI application and Greenroom's consumers.

    python tests/benchmarks/echo.py [--connections 100] [--seconds 3] [--rounds 3]

Each round starts every server afresh under `hypercorn -k trio`, in turn, so that a slow spell of
the machine falls on all of them; the figures are medians over the rounds, the ratios within
this run. One text message of 64 bytes is in flight on each connection; every reply is compared with
what was sent. Where the machine has two cores, the server is pinned to the first and this client to
the second. The client is plain Python, so the rates are lower bounds.
"""

from __future__ import annotations

import argparse
import base64
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SERVERS = {"bare ASGI": "bare", "async def": "coroutine", "def": "thread"}
PAYLOAD = b"x" * 64
MASK = b"\x01\x02\x03\x04"
QUESTION = bytes([0x81, 0x80 | len(PAYLOAD)]) + MASK + bytes(
    byte ^ MASK[at % 4] for at, byte in enumerate(PAYLOAD)
)  # fmt: skip
ANSWER = bytes([0x81, len(PAYLOAD)]) + PAYLOAD


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(arguments.rounds):
        for name, attribute in SERVERS.items():
            rates[name].append(measure(attribute, arguments.connections, arguments.seconds))
    base = statistics.median(rates["bare ASGI"])
    print(f"{'server':<12}{'messages/s':>12}{'of bare':>10}{'us each':>10}")
    for name, each in rates.items():
        rate = statistics.median(each)
        print(f"{name:<12}{rate:>12,.0f}{rate / base:>9.2f}x{1e6 / rate:>10.0f}")


def measure(attribute: str, connections: int, seconds: float) -> float:
    """Start one server, load it, stop it; return echoes a second."""
    port = free_port()
    cores = sorted(os.sched_getaffinity(0))
    server = subprocess.Popen(
        [sys.executable, "-m", "hypercorn", "-k", "trio", "-b", f"127.0.0.1:{port}",
         "--backlog", "1000", "--log-level", "critical", f"echo_servers:{attribute}"],
        cwd=HERE,
    )  # fmt: skip
    try:
        os.sched_setaffinity(server.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        return load(port, connections, seconds)
    finally:
        server.terminate()
        server.wait(20)
        os.sched_setaffinity(0, set(cores))


def load(port: int, connections: int, seconds: float) -> float:
    """Keep one message in flight on each connection; return echoes a second."""
    selector = selectors.DefaultSelector()
    sockets = [dial(port) for _ in range(connections)]
    waiting = dict.fromkeys(sockets, b"")
    for sock in sockets:
        selector.register(sock, selectors.EVENT_READ)
        sock.sendall(QUESTION)
    echoes = 0
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        for key, _ in selector.select(timeout=1):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            waiting[sock] += sock.recv(65536)
            if len(waiting[sock]) >= len(ANSWER):
                assert waiting[sock] == ANSWER, waiting[sock]
                waiting[sock] = b""
                echoes += 1
                sock.sendall(QUESTION)
    took = time.perf_counter() - began
    for sock in sockets:
        sock.close()
    return echoes / took


def dial(port: int) -> socket.socket:
    """Open one WebSocket; wait up to ten seconds for the server to come up."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    until = time.monotonic() + 10
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=10)
            break
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    sock.sendall(request.encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return sock


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


if __name__ == "__main__":
    main()
