# What every WebSocket of a consumer is made of, however its server is written to: an output, a
# slot, and the rules for what ends them. _websocket.py and _direct.py add the tasks.
#
# Who is shielded: the slot's task. An outer cancellation (the server's shutdown) is seen by
# the plain one's reader, or told to the direct one; it asks the slot to stop; then `disconnect`
# runs, the close goes out, and the cancellation goes on.

from collections.abc import Callable, MutableMapping
from typing import Any

from ...actors import Actor
from ...actors._exits import Exit, ExitKind
from ...supervisor import Root
from ...supervisor._slot import Slot
from ..websocket._close import Violation
from . import _gate
from ._output import WebsocketOutput


class Attached:
    """
    The slot of one WebSocket, in the tree from here on, and its output.

    Args:
        make_output: What to make the output with, if not :class:`WebsocketOutput`.
    """

    __slots__ = ("_limits", "_root", "_route", "output", "slot")

    slot: Slot

    def __init__(
        self,
        root: Root,
        route: str,
        actor: type[Actor],
        kwargs: dict[str, Any],
        scope: MutableMapping[str, Any],
        make_output: Callable[..., WebsocketOutput] = WebsocketOutput,
    ) -> None:
        self._root, self._route = root, route
        self._limits = root.connections.limits_of(actor)
        self.output = make_output(
            scope,
            root.loop,
            high_water_bytes=root.options.output_high_water_bytes,
            limit_bytes=root.options.output_limit_bytes,
            stall_seconds=root.options.output_stall_seconds,
            on_slow=self._slow,
        )
        self.slot = root.connections.attach(route, actor, kwargs, self.output)
        self.output.path = self.slot.path
        _gate.attach(scope, self.slot)
        root.events.emit("connection.opened", self.slot.path, **self._opened_with(scope))

    def _opened_with(self, scope: MutableMapping[str, Any]) -> dict[str, Any]:
        """Return what the event of the opening says."""
        return {"url": scope["path"]}

    def detach(self) -> None:
        """Take it out of the tree: its connection is over."""
        _gate.detach(self.output.scope)
        self._root.connections.detach(self._route, self.slot)
        self._root.events.emit("connection.closed", self.slot.path, code=self.output.code or 1006)

    def _fault(self, error: BaseException) -> Exit:
        """
        End it because of *error*, which the slot has raised.

        That is a fault of ours, or an error that can't even be looked at; never a Cancelled,
        for the slot is shielded. The socket must not hang.
        """
        self.slot.abort(error)
        self.output.close(1011, "")
        return Exit(ExitKind.FATAL, "a fault in Greenroom itself", error)

    def _cancelled(self) -> None:
        """Ask the slot to stop: the server's task for this connection was cancelled."""
        if self.slot.end is None:
            self.slot.request_stop("server shutdown", 1012, "server shutdown")

    def _ended(self, code: int, reason: str) -> None:
        if self.output.peer_ended(code, reason):
            self.slot.peer_ended(code, reason)
        else:  # it was closed from here, and a handler that ends with it may run on
            self.slot.peer_left()

    def violated(self, violation: Violation) -> None:
        """Close with what the peer has violated, and tell the slot."""
        code, reason = violation.code, violation.reason
        self.slot.note("connection.violation", code=code, reason=reason)
        if self.output.close(code, reason):
            self.slot.peer_ended(code, reason)

    def _slow(self, size: int) -> None:
        self.slot.note("output.slow", bytes=size, code=1013)
        self._root.loop.call_soon(self.slot.peer_ended, 1013, "reads too slowly")
