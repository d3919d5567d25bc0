# Ports for programs that have to be told theirs: a proxy, a database, a server that ends and comes
# back. Whoever asks the kernel for any port, and each client, has one of its own range; so these
# are from below it, and nobody gets one between the look at it and the program's own bind, or while
# the program is away.

import random
import socket
from pathlib import Path

FIRST = 20_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_chance = random.SystemRandom()  # tests that run beside each other start with the same seed


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that the kernel gives to nobody."""
    given = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 0
    while True:
        port = _chance.randrange(FIRST, given) if given > FIRST else 0
        try:
            with socket.create_server(("127.0.0.1", port)) as free:
                found: int = free.getsockname()[1]
                return found
        except OSError:
            continue  # somebody has it
