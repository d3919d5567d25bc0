# The supervisor of everything that lives as long as one connection.
#
# It holds records, not tasks: the task of an attached slot is its connection's own
# coroutine, which the server started. So this one asks for a stop and awaits the
# exit; it never cancels, and one connection's end can't touch another's.

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import trio

from ..actors import Actor, ActorRef
from ..actors._ports import Connection
from ._caps import Caps
from ._connection_limits import ConnectionLimits
from ._fallen import Graveyard
from ._intensity import RestartWindow
from ._slot import Slot
from ._spec import OnExceeded, Restart
from ._standing import Standing
from ._storms import Storms
from ._tally import Tally
from ._tree import NodeSnapshot
from ._verdict import policy_of

if TYPE_CHECKING:
    from ._root import Root


UserKey = Callable[[Mapping[str, Any]], Awaitable[Hashable]]
"""From the scope of a connection to what stands for its user; None for nobody."""


class Attached(Protocol):
    """What the connections' supervisor keeps of one connection."""

    path: str
    ref: ActorRef

    @property
    def state(self) -> str:
        """What it is doing."""
        ...

    def request_stop(self, reason: str, code: int = 1000, text: str = "") -> None:
        """Ask it to end."""
        ...

    def stuck(self) -> None:
        """Tell that it has not ended in time, and where it waits."""
        ...

    def snapshot(self) -> NodeSnapshot:
        """Return it as it is now."""
        ...

    def alone(self) -> NodeSnapshot:
        """Return it as it is now, in short."""
        ...

    def standing(self) -> Standing:
        """Return how it stands, beyond what a snapshot says."""
        ...

    def unwell(self) -> str:
        """Say in a word or two what is wrong with it; "" if nothing is."""
        ...

    def words(self) -> str:
        """Return what it can be found by, beside its path."""
        ...

    def be_counted(self, tally: Tally | None) -> None:
        """Be counted in *tally* from now on."""
        ...


class Connections:
    """The dynamic supervisor at ``/connections``, with one node for each route."""

    def __init__(self, root: "Root") -> None:
        self._root = root
        self._routes: dict[str, dict[str, Attached]] = {}
        self._tallies: dict[str, Tally] = {}  # by route
        self._orders: dict[str, list[str]] = {}  # of routes that somebody has looked through
        self._numbers = count(1)
        self._open = 0
        self._closing = False
        self._empty = trio.Event()
        self._limits: dict[type[Actor], ConnectionLimits] = {}
        self.caps = Caps()
        """The places of addresses, users and classes that are taken."""
        self.graveyard = Graveyard()
        """Those that have ended and had crashed. Loop thread only."""
        self.user_key: UserKey | None = None
        """Says whose connection it is; for connections_per_user. Set before the tree serves."""
        self.storms = Storms(root)
        """What puts restarts off when too many of them come at once."""

    @property
    def open(self) -> int:
        """How many connections have a slot."""
        return self._open

    def refusal(self, *, request: bool = False) -> str | None:
        """
        Why a new connection can't be taken now; None when it can.

        A *request* is taken in a storm, too: it is over soon, and never restarted.
        """
        most = self._root.options.max_connections
        if self._closing:
            return "the server is shutting down"
        if not self._root.up:
            return "the supervisor is down"
        if most is not None and self._open >= most:
            return f"{most} connections are open (max_connections)"
        return None if request else self.storms.refusal

    def limits_of(self, actor: type[Actor]) -> ConnectionLimits:
        """Return what holds for each connection of *actor*."""
        limits = self._limits.get(actor)
        if limits is None:
            limits = self._limits[actor] = ConnectionLimits.of(actor, self._root.options)
        return limits

    def new_path(self, route: str) -> str:
        """Return a path of its own for the next connection of *route*."""
        return f"/connections/{route}/{next(self._numbers)}"

    def attach(
        self, route: str, actor: type[Actor], kwargs: dict[str, Any], connection: Connection
    ) -> Slot:
        """Make the slot of one connection; :meth:`detach` it when its coroutine ends."""
        options = self._root.options
        if getattr(actor, "looks_at_the_tree", False):
            self._root.events.keep_apart(f"/connections/{route}")
        slot = self._root.kinds.slot(Slot)(
            self._root,
            self.new_path(route),
            actor,
            kwargs=kwargs,
            connection=connection,
            policy=policy_of(actor, Restart.TRANSIENT, OnExceeded.CLOSE),
            window=RestartWindow(
                getattr(actor, "max_restarts", options.max_restarts),
                getattr(actor, "max_seconds", options.max_seconds),
            ),
            shutdown_seconds=getattr(actor, "shutdown_seconds", options.shutdown_seconds),
        )
        self.add(route, slot)
        return slot

    def add(self, route: str, attached: Attached) -> None:
        """Put one connection into the tree."""
        members = self._routes.get(route)
        if members is None:
            members = self._routes[route] = {}
            self._tallies[route] = self._root.census.new()
        members[attached.path] = attached
        if self._orders and (order := self._orders.get(route)) is not None:
            order.append(attached.path)
            if _is_stale(order, members):
                del self._orders[route]
        attached.be_counted(self._tallies[route])
        self._open += 1
        self._root.register(attached.path, attached.ref)

    def detach(self, route: str, attached: Attached) -> None:
        """Take one connection out of the tree."""
        members = self._routes[route]
        del members[attached.path]
        attached.be_counted(None)
        if not members:
            del self._routes[route], self._tallies[route]
            self._orders.pop(route, None)
        self._open -= 1
        self._root.unregister(attached.path)
        if isinstance(attached, Slot):
            attached.be_buried(self.graveyard)
        if not self._open:
            self._empty.set()

    async def drain(self, reason: str, code: int, seconds: float) -> bool:
        """
        Refuse new connections, ask all to end and wait, *seconds* at most. A checkpoint.

        Those that have not are reported unkillable, each with its stack.

        Returns:
            Whether all have ended. A cancellation leaves the requests standing.
        """
        self._closing = True
        self.storms.close()
        await trio.sleep(0)
        self.each(lambda attached: attached.request_stop(reason, code))
        with trio.move_on_after(seconds) as scope:
            while self._open:
                if self._empty.is_set():  # else another drain waits on it
                    self._empty = trio.Event()
                await self._empty.wait()
        if scope.cancelled_caught:
            self.each(lambda attached: attached.stuck())
        return self._open == 0

    def each(self, act: Callable[[Attached], object]) -> None:
        """Call *act* with every connection; it may make connections come and go."""
        for members in list(self._routes.values()):
            for attached in list(members.values()):
                act(attached)

    def newest_first(self) -> Iterator[Attached]:
        """Go through all connections, of each route the newest first; they must not change."""
        for members in self._routes.values():
            yield from reversed(members.values())

    def left(self) -> list[str]:
        """The paths of what is still there."""
        return [path for members in self._routes.values() for path in members]

    def snapshot(self) -> NodeSnapshot:
        """Return the supervisor and its connections as they are now."""
        routes = tuple(
            replace(
                self.route(route),
                children=tuple(attached.snapshot() for attached in members.values()),
            )
            for route, members in sorted(self._routes.items())
        )
        return replace(self.alone(), children=routes)

    @property
    def routes(self) -> int:
        """How many routes have connections."""
        return len(self._routes)

    @property
    def state(self) -> str:
        """``running``, or ``stopping`` once no more are taken."""
        return "stopping" if self._closing else "running"

    def open_by_route(self) -> list[tuple[str, int]]:
        """Return the names of the routes with connections, in order, and how many each has."""
        return [(route, len(members)) for route, members in sorted(self._routes.items())]

    def count_of(self, route: str) -> int:
        """Return how many connections *route* has."""
        return len(self._routes.get(route, ()))

    def states_of(self, route: str) -> dict[str, int]:
        """Return how many connections of *route* are in each state; at once."""
        tally = self._tallies.get(route)
        return {} if tally is None else tally.states()

    def paths_of(self, route: str) -> list[str]:
        """Return the paths of the connections of *route*, the oldest first."""
        return list(self._routes.get(route, ()))

    def order_of(self, route: str) -> Sequence[str]:
        """
        Return the paths of the connections of *route*, the oldest first; not to be changed.

        Some may have gone. It is kept for the next one who asks, as long as there are not too many
        of those: to copy a hundred thousand paths for each page takes milliseconds.
        """
        members, order = self._routes.get(route, {}), self._orders.get(route)
        if order is None or _is_stale(order, members):
            order = list(members)
            if members:
                self._orders[route] = order
        return order

    def find(self, path: str) -> "Attached | None":
        """Return the connection at *path*."""
        route = path.removeprefix("/connections/").rpartition("/")[0]
        return self._routes.get(route, {}).get(path)

    def route(self, name: str) -> NodeSnapshot:
        """Return the node of a route as it is now, without its connections."""
        return NodeSnapshot(
            path=f"/connections/{name}",
            kind="supervisor",
            name=name,
            facts={"open": len(self._routes.get(name, ()))},
        )

    def alone(self) -> NodeSnapshot:
        """Return the supervisor as it is now, without its routes."""
        return NodeSnapshot(
            path="/connections",
            kind="supervisor",
            name="connections",
            state=self.state,
            facts={"open": self._open, **self.storms.facts()},
        )


def _is_stale(order: Sequence[str], members: Mapping[str, Attached]) -> bool:
    return len(order) > 2 * len(members) + 1000
