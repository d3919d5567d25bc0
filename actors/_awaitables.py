"""What `self.send(...)` and its like return: waiting for room, and nothing else."""

# The effect of a call has happened when one of these is returned, so a forgotten
# `await` never loses a frame. In debug mode the one that nobody awaited tells
# which line forgot it.

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from ._batch import wait_in_thread
from ._lowlevel import checkpoint

if TYPE_CHECKING:
    from ._ports import Connection


# At its end for ever; half of what a generator costs.
_NOTHING = cast("Generator[Any, Any, None]", iter(()))


class Done:
    """Nothing to wait for. Awaiting it is not a checkpoint."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING

    def __repr__(self) -> str:
        return "<awaitable: done>"


DONE = Done()


class Turn:
    """Nothing to wait for, but others should have a turn. Awaiting it is a checkpoint."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return checkpoint().__await__()


TURN = Turn()


class Room:
    """Waits until *connection*'s output has room, or is over. A checkpoint if it waits."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __await__(self) -> Generator[Any, Any, None]:
        return self._connection.wait_room().__await__()


def room_of(connection: Connection, *, here: bool) -> Room | Done:
    """Return what waits for room on trio (*here*); in a worker thread, wait now."""
    if here:
        return Room(connection)
    room = threading.Event()
    connection.on_room(room.set)
    if not wait_in_thread(room, connection.stall_seconds):
        connection.give_up()
    return DONE


class Watched:
    """Debug mode: tells *forgotten* with ``file:line`` if nobody awaits it."""

    __slots__ = ("_awaited", "_forgotten", "_inner", "_where")

    def __init__(
        self, inner: Done | Turn | Room, forgotten: Callable[[str], object], depth: int
    ) -> None:
        # The caller's line is the point, so the caller's frame is asked.
        frame = sys._getframe(depth)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        self._where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self._inner = inner
        self._forgotten = forgotten
        self._awaited = False

    def __await__(self) -> Generator[Any, Any, None]:
        self._awaited = True
        return self._inner.__await__()

    def __del__(self) -> None:
        if not self._awaited:
            self._forgotten(self._where)
