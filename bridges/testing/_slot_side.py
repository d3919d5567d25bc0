# The slot behind one connection of a driver: what a test looks at, crashes, and waits for.

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from ...actors._lowlevel import inside_trio
from ...supervisor import NodeSnapshot, Root
from ...supervisor._slot import Slot
from ..hypercorn._state import STATE
from ._journal import Journal
from ._tree import crash_slot, slot_restarted

MARK = "greenroom.testing"
"""The scope extension by which a driver finds the slot of its socket."""


class Server(Protocol):
    """What a socket needs of the driver that dialled it."""

    @property
    def journal(self) -> Journal: ...
    @property
    def root(self) -> Root: ...
    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None: ...
    async def wait_crash(
        self, *kinds: type[BaseException], match: str, path: str, timeout: float
    ) -> BaseException: ...


class SlotSide:
    """The server's end of one connection."""

    def __init__(self, server: Server, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.mark = object()
        """In the scope's extensions: tells this connection's slot from others."""
        self._server = server
        self._found: Slot | None = None
        self._awaited = 0  # the epoch after the last crash(), until it was waited for

    @property
    def slot(self) -> NodeSnapshot:
        """The slot of this connection, as it is now."""
        return self._slot.snapshot()

    def crash(self, error: BaseException | None = None) -> None:
        """
        Have the running incarnation crash, as if a task of it had raised *error*.

        Where ``connect`` has not returned yet, as soon as it has: a crash before that
        would not be restarted.
        """
        slot = self._slot
        self._awaited = slot.epoch + 1
        if slot.settled.is_set():
            crash_slot(self._server.journal, slot, error)
        else:
            self._server.start_soon(self._crash_once_settled, slot, error)

    async def _crash_once_settled(self, slot: Slot, error: BaseException | None) -> None:
        await slot.settled.wait()
        crash_slot(self._server.journal, slot, error)

    async def wait_restarted(self, epoch: int = 0, timeout: float = 30.0) -> NodeSnapshot:
        """
        Wait until incarnation *epoch* serves; by default the one after the crash.

        A checkpoint. Returns the slot's snapshot.

        Raises:
            LookupError: The slot has ended instead.
            NothingCame: Neither happened within *timeout* seconds.
        """
        wanted = epoch or self._awaited
        if not wanted:  # it crashed by itself, or will
            running = self._slot.state == "running"
            wanted = max(2, self._slot.epoch + running)
            crash = self._slot.last_crash
            if crash is not None and running:
                wanted = crash.epoch + 1
        self._awaited = 0
        return await slot_restarted(self._server.journal, self._slot, wanted, timeout)

    async def wait_crash(
        self, *kinds: type[BaseException], match: str = "", timeout: float = 5.0
    ) -> BaseException:
        """
        Wait for a crash of this connection's consumer, as :meth:`ServerDriver.wait_crash` does.

        Raises:
            NothingCame: There was none in time.
        """
        path = self._slot.path
        return await self._server.wait_crash(*kinds, match=match, path=path, timeout=timeout)

    @property
    def _slot(self) -> Slot:
        if self._found is None:
            self._look_for_slot()
        if self._found is None:
            raise LookupError("no slot of Greenroom's serves this connection")
        return self._found

    def _look_for_slot(self) -> None:
        if STATE not in self.scope["state"]:
            return  # the application is not Greenroom's
        for slot in self._server.root.connections.newest_first():  # as a rule it is that
            if not isinstance(slot, Slot) or slot.connection is None:
                continue
            extensions = cast("dict[str, object]", slot.connection.scope.get("extensions") or {})
            if extensions.get(MARK) is self.mark:
                self._found = slot
                return


def must_be_on_trio() -> None:
    """
    Refuse a call from another thread, which would wake nobody.

    Raises:
        RuntimeError: Not called on the loop's thread.
    """
    if not inside_trio():
        raise RuntimeError(
            "this driver belongs to its loop's thread. From another thread write"
            " trio.from_thread.run_sync(client.send_text, ...), or take run_server()."
        )
