# A port for a server that is started later, and by somebody else.
#
# It is below those that the system gives away: to a socket bound to port 0, and to each connection
# that somebody opens. From among those it could be taken between here and there, and a client that
# calls a port of them where nobody listens may be connected to itself.

import random
import socket

_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """Return a port of this machine that nobody listens on, and that nobody is given by chance."""
    dice = random.SystemRandom()  # not the test's: each process would ask for the same ones
    while True:
        with socket.socket() as probe:
            port = dice.randint(_FIRST, _LAST)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
