# A port for a server that is started later, and by somebody else.
#
# It is below those that the system gives away: to a socket bound to port 0, and to each connection
# that somebody opens. From among those it could be taken between here and there, or while the
# server is away, and a client that calls a port of them where nobody listens may be connected to
# itself.

import random
import socket
from pathlib import Path

FIRST = 20_000
_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_dice = random.SystemRandom()  # not the test's: each process would ask for the same ones


def free_port() -> int:
    """Return a port of this machine that nobody listens on, and that nobody is given by chance."""
    given = int(_GIVEN.read_text().split()[0]) if _GIVEN.exists() else 0
    while True:
        port = _dice.randrange(FIRST, given) if given > FIRST else 0
        try:
            with socket.create_server(("127.0.0.1", port)) as free:
                found: int = free.getsockname()[1]
                return found
        except OSError:
            continue  # somebody has it
