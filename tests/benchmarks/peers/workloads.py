# What is measured, of whom, and what Greenroom should reach. Data only.
#
# To add a server: one line in SERVERS. Paths say what a server must do there:
#   /echo      send every text message back as it came
#   /fan       join the one group; each message goes to all members, straight to the sockets
#   /fanactor  the same, but a handler of each member sends it on (all that Channels can do)
#   /sync      as /echo, in a blocking handler; over HTTP: 200 with the query string as the body
#   /orm       as /sync, after reading and checking one row
#   /async, /aorm   over HTTP: the same in an async view

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

BASE = "channels"
GREENROOM = "greenroom"
BARE = "bare"

_UVICORN = (
    "uvicorn --host 127.0.0.1 --port {port} --loop uvloop --ws websockets-sansio"
    " --log-level critical --no-access-log "
)
_HYPERCORN = "hypercorn -b 127.0.0.1:{port} --backlog 1000 --log-level critical "


@dataclass(frozen=True)
class Server:
    """How a server is started; ``{port}`` is filled in."""

    title: str
    websocket: str
    http: str = ""

    def command(self, *, http: bool) -> str:
        """Return its command for a workload over HTTP or over WebSockets."""
        return self.http if http else self.websocket


SERVERS = MappingProxyType(
    {
        BASE: Server(
            "Channels on uvicorn",
            _UVICORN + "channels_asgi:application",
            _UVICORN + "channels_asgi:http",  # Django's ASGIHandler with nothing before it
        ),
        GREENROOM: Server(
            "Greenroom",
            *[_HYPERCORN + "-k trio greenroom_asgi:application"] * 2,
        ),
        # An ASGI application under the same connections as Greenroom's consumers.
        BARE: Server("bare ASGI", _HYPERCORN + "-k trio bare_asgi:application"),
        "channels-daphne": Server(
            "Channels on daphne",
            "daphne -v 0 -b 127.0.0.1 -p {port} channels_asgi:application",
            "daphne -v 0 -b 127.0.0.1 -p {port} channels_asgi:http",
        ),
        "channels-hypercorn": Server(
            "Channels on hypercorn",
            _HYPERCORN + "-k asyncio channels_asgi:application",
            _HYPERCORN + "-k asyncio channels_asgi:http",
        ),
    }
)


@dataclass(frozen=True)
class Workload:
    """
    One kind of load.

    ``figure`` names what is compared: "rate" (a second, more is better), "p50_us" or
    "kib" (for each connection); of these less is better. Exactly one of the targets is
    set: ``times`` is a multiple of the base's figure in the same run, ``at_most`` a figure.
    """

    text: str
    mode: str
    path: str
    connections: int
    inflight: int = 1
    figure: str = "rate"
    times: float | None = None
    at_most: float | None = None
    bare_factor: float | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def http(self) -> bool:
        """Whether it is requests, not WebSockets."""
        return self.mode == "http"

    @property
    def less_is_better(self) -> bool:
        """Whether a smaller figure is the better one."""
        return self.figure != "rate"


def _six(text: str, path: str, times: float) -> Workload:
    """Return requests for a view of Django's behind its six standard middlewares."""
    return Workload(text, "http", path, 64, times=times, environment={"BENCH_MIDDLEWARE": "1"})


WORKLOADS = MappingProxyType(
    {
        "echo100": Workload(
            "64 bytes, one in flight on each", "echo", "/echo", 100, times=4.0, bare_factor=1.3
        ),
        "echo1000": Workload("64 bytes, one in flight on each", "echo", "/echo", 1000, times=4.2),
        "echo1": Workload("round trip, median", "echo", "/echo", 1, figure="p50_us", at_most=70),
        "echo100x16": Workload("16 in flight on each", "echo", "/echo", 100, 16, times=20),
        "fan1000": Workload("a frame to each socket", "fanout", "/fan", 1000, times=50),
        "fan1000-actors": Workload("handled by each actor", "fanout", "/fanactor", 1000, times=15),
        "storm": Workload("connect, upgrade, close", "storm", "/echo", 50, times=2.0),
        "idle": Workload("memory of each", "idle", "/echo", 5000, figure="kib", at_most=14),
        "http-sync": Workload("Django view, no middleware", "http", "/sync", 64, times=1.8),
        "http-middleware": _six("sync view, six middlewares", "/sync", times=3.5),
        "http-orm": _six("sync view, one row read", "/orm", times=1.9),
        "http-async": _six("async view", "/async", times=1.8),
        "http-async-orm": _six("async view, one row read", "/aorm", times=1.5),
        "sync100": Workload("def consumer, nothing to do", "echo", "/sync", 100, times=5.0),
        "orm100": Workload("def consumer, one row read", "echo", "/orm", 100, times=1.7),
    }
)
