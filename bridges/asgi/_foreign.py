# A WebSocket that is served by somebody else's ASGI application: a `temporary` slot around it.
#
# It has its place in the tree, counts, and is asked to stop like any. Where what is called
# turns out to be a middleware around a consumer of ours, the consumer's own slot takes the
# place: a connection is one node of the tree, not two.

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ...supervisor import Root
from ...supervisor._request import RequestSlot
from . import _gate
from ._transport import serve_inner

Scope = MutableMapping[str, Any]

PLACE = "greenroom.place"


class Place:
    """The place of *slot* in the tree, until it is taken by that of a consumer further in."""

    __slots__ = ("_root", "_route", "_scope", "_there", "slot")

    def __init__(self, root: Root, route: str, slot: RequestSlot, scope: Scope) -> None:
        self._root, self._route, self.slot = root, route, slot
        self._there = True
        self._scope = scope
        root.connections.add(route, slot)
        _gate.attach(scope, slot)

    def __deepcopy__(self, memo: dict[int, object]) -> "Place":
        return self  # a middleware may copy a whole scope: it is one place still

    def give_up(self) -> None:
        """Take it out of the tree, once."""
        if self._there:
            self._there = False
            _gate.detach(self._scope)
            self._root.connections.detach(self._route, self.slot)


async def serve_foreign(
    root: Root, route: str, app: Callable[..., Awaitable[object]], scope: Scope, *channel: Any
) -> None:
    """
    Serve one WebSocket with *app*, which is given *scope* and *channel*. A checkpoint.

    What it raises is recorded as its crash and goes no further; the server then ends the
    connection. Asked to stop, it is cancelled after ``shutdown_seconds``.
    """
    if PLACE in scope:  # a router inside of it leads here: it is one connection still
        await serve_inner(app, scope, *channel)
        return
    path = root.connections.new_path(route)
    slot = RequestSlot(root, path, f"WebSocket {scope['path']}", actor="websocket")
    place = scope[PLACE] = Place(root, route, slot, scope)
    try:
        await slot.run(lambda: serve_inner(app, scope, *channel))
    finally:
        place.give_up()


def take_place(scope: Scope) -> None:
    """Make room for the slot of a consumer that an application of somebody else has called."""
    place: Place | None = scope.get(PLACE)
    if place is not None:
        place.give_up()
