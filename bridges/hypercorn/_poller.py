# The sockets whose owners are called, not woken: one poller for all WebSockets of a loop.
#
# An epoll of our own holds every socket for as long as it is read from, and one task waits for
# it. So a message costs neither a registration, which trio makes anew for each wait, nor the
# turn of a task that does nothing but read: see docs/explanation/connections.md.
#
# It runs between the loop's wait for I/O and its tasks, so that whoever is woken runs in the same
# pass. What leaves it ends the run of trio: a worker without it would serve no socket any more.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_poller.py:
#   FAIR       an owner is called once a turn, and between two turns everybody else runs.
#   ALONE      what an owner raises ends its own watch and is told to it, and to nobody else.
#   NO STALE   behind unwatch() nobody is called, also not for what this turn had found.
#   WAKES      who asks to be called again is, also when no socket has anything.

import logging
import select
import socket
from typing import Protocol

import trio

from ...actors._lowlevel import (
    EachPass,
    LoopThread,
    Readable,
    StepEnd,
    one_of_this_run,
    start_system_task,
)

logger = logging.getLogger("greenroom.hypercorn")

AVAILABLE = hasattr(select, "epoll")
"""Whether this system has what it takes."""
READ, WRITE = 0x001, 0x004
"""What to watch for: EPOLLIN and EPOLLOUT, by number for systems that have no epoll."""

_MANY = 256  # sockets a turn


class Owner(Protocol):
    """Whoever owns a socket."""

    def ready(self, events: int) -> None:
        """Read or write, as *events* say: READ, WRITE, and the system's bits for errors."""
        ...

    def failed(self, error: Exception) -> None:
        """Make an end: :meth:`ready` has raised *error*, and is not called again."""
        ...


class Poller:
    """Calls the owners of sockets that can be read or written to. Loop thread only."""

    def __init__(self) -> None:
        self.now = trio.current_time()
        """When this turn began, on trio's clock."""
        self._epoll = select.epoll()
        self._readable = Readable(self._epoll.fileno())
        self._watched: dict[int, tuple[Owner, int]] = {}
        self._again: dict[int, Owner] = {}
        self._loop = LoopThread.current()
        self._parked = False  # the task waits for a socket
        self._step_end = StepEnd.current()
        start_system_task(self._run, "greenroom poller")

    @classmethod
    def current(cls) -> "Poller":
        """Return the one of the running loop; its task ends with the loop."""
        return one_of_this_run(cls)

    def watch(self, sock: socket.socket, owner: Owner, events: int) -> None:
        """Have *owner* called whenever one of *events* is there; 0 for not any more."""
        number = sock.fileno()
        old = self._watched.get(number)
        if old is None and events:
            self._epoll.register(number, events)
        elif old is not None and not events:
            self.unwatch(sock)
        elif old is not None and old[1] != events:
            self._epoll.modify(number, events)
        if events:
            self._watched[number] = owner, events

    def unwatch(self, sock: socket.socket) -> None:
        """Call nobody for *sock* any more. It must still be open."""
        self._drop(sock.fileno())

    def call_again(self, sock: socket.socket, owner: Owner) -> None:
        """Call *owner* in the next turn as if *sock* could be read."""
        self._again[sock.fileno()] = owner
        if self._parked:
            self._loop.call_soon(self._woken, idempotent=True)

    async def _run(self) -> None:
        each_pass = EachPass(self._pass)
        each_pass.begin()
        try:
            while True:
                if self._again:
                    await trio.sleep(0)
                else:
                    self._parked = True
                    await self._readable.wait()
                    self._parked = False
        finally:
            self._parked = False  # who asks now is too late
            each_pass.end()
            self._epoll.close()

    def _woken(self) -> None:
        # The pass that calls this has had its turn before.
        if self._again and self._parked:
            self._loop.call_soon(self._woken, idempotent=True)

    def _pass(self) -> None:
        # Not in every pass: a system call gives the interpreter's lock away, and the loop would
        # have to wait for it behind each busy thread.
        if self._again or self._readable.woken:
            self._turn()

    def _turn(self) -> None:
        again = set(self._again)
        found = self._epoll.poll(0, _MANY)
        self.now = trio.current_time()
        for number in again:
            owner = self._again.pop(number, None)
            if owner is not None:
                self._call(number, owner, READ)
        watched = self._watched
        for number, events in found:
            entry = watched.get(number)
            if entry is None or number in again:  # given up in this very turn, or called
                continue
            self._call(number, entry[0], events)
        self._step_end.call_all()

    def _call(self, number: int, owner: Owner, events: int) -> None:
        try:
            owner.ready(events)
        except Exception as error:  # noqa: BLE001 - it would end the whole loop
            self._failed(number, owner, error)

    def _failed(self, number: int, owner: Owner, error: Exception) -> None:
        try:
            self._drop(number)
            owner.failed(error)
        except Exception:
            logger.exception("a fault in Greenroom itself, behind another: %r", error)

    def _drop(self, number: int) -> None:
        self._again.pop(number, None)
        if self._watched.pop(number, None) is not None:
            self._epoll.unregister(number)
