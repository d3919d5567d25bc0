# The bytes of one connection on their way out, and the socket they go to.
#
# A write goes to the socket when the task that made it suspends, together with all it wrote
# before; so a handler that sends three frames costs one system call, and nobody waits for
# a task to be woken. What the socket does not take waits here and goes first.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_wire.py:
#   ORDER      bytes go out in the order of the writes, from whatever thread.
#   TOGETHER   writes of one step of a task are one write to the socket.
#   AT ONCE    a worker thread's write goes to the socket in that thread, if nothing waits.
#   NO REUSE   the descriptor is closed under the lock that writes hold, so no thread writes
#              to whoever is given its number next.
#
# Turned down: trio.SocketStream.send_all (15 us against 3, and it can't be called from a
# thread); a writer task for each connection (two more turns of the loop a message).

import socket
import struct
import threading
from collections.abc import Callable

import trio

from ...actors._lowlevel import (
    LoopThread,
    StepEnd,
    close_socket,
    wait_readable,
    wait_writable,
)

READ_BYTES = 65536
_JOIN_BYTES = 65536  # what costs less to copy than to hand over one by one
_VECTORS = 64
_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds: what is unsent is thrown away


class Wire:
    """
    The socket of one connection, owned from here on. Made on the loop's thread.

    Args:
        sock: Connected and non-blocking.
        on_blocked: Called on the loop's thread when the socket does not take what was
            written and nobody waits for it to: have :meth:`drain` run by a task.
    """

    def __init__(self, sock: socket.socket, on_blocked: Callable[[], object] | None = None) -> None:
        self.on_blocked = on_blocked
        self.size: int = 0
        """Bytes that the socket has not taken yet."""
        self.broken = False
        """Whether writing has failed, or the socket was closed: what is written is lost."""
        self._sock = sock
        self._loop = LoopThread.current()
        self._step_end = StepEnd.current()
        self._lock = threading.RLock()
        self._pending: list[bytes | memoryview] = []
        self._begun = False  # the first of them went out in part
        self._put_off = False  # a flush at the end of this step is due
        self._blocked = False  # the socket takes no more, drain() goes on
        self._told = False
        self._drainer: trio.Event | None = None  # a task waits for the socket until it is set

    # -- out ------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Append *data*; False when the connection is broken. Any thread, never blocks."""
        here = self._loop.is_here()
        with self._lock:
            if self.broken:
                return False
            self._pending.append(data)
            self.size += len(data)
            if self._blocked or self._put_off:
                return True
            if not here:
                self._flush()
                return not self.broken
            self._put_off = True
        self._step_end.call(self._flush_put_off)
        return True

    def flush(self) -> None:
        """Give the socket what it takes of what waits. Any thread, never blocks."""
        with self._lock:
            if not self._blocked:
                self._flush()

    async def drain(self) -> bool:
        """
        Wait until the socket has taken all; False if it broke before that.

        A checkpoint only if it waits; a cancellation loses nothing. Any number of tasks.
        """
        self.flush()
        while self.size and not self.broken:
            if self._drainer is not None:
                await self._drainer.wait()
                continue
            self._drainer = trio.Event()
            try:
                await wait_writable(self._sock)
                with self._lock:
                    self._blocked = False
                    self._flush()
            except (OSError, trio.ClosedResourceError, ValueError):
                self._break()
            finally:
                self._drainer.set()
                self._drainer = None
                if self._blocked:  # this task may have been the only one that waited
                    self._block()
        return not self.broken

    def discard(self) -> None:
        """Throw away what waits, but for the rest of a write that went out in part."""
        with self._lock:
            del self._pending[self._begun :]
            self.size = sum(map(len, self._pending))

    def _flush_put_off(self) -> None:
        with self._lock:
            self._put_off = False
            if not self._blocked:
                self._flush()

    def _flush(self) -> None:
        pending = self._pending
        while pending and not self.broken:
            try:
                sent = self._send(pending)
            except (BlockingIOError, InterruptedError):
                self._block()
                return
            except OSError:
                self._break()
                return
            self.size -= sent
            if not self.size:
                pending.clear()
                self._begun = False
                return
            self._cut(sent)

    def _send(self, pending: list[bytes | memoryview]) -> int:
        if len(pending) == 1:
            return self._sock.send(pending[0])
        if self.size <= _JOIN_BYTES:
            return self._sock.send(b"".join(pending))
        return self._sock.sendmsg(pending[:_VECTORS])

    def _cut(self, sent: int) -> None:
        """Take *sent* bytes off the beginning of what waits."""
        whole = 0
        for data in self._pending:
            if sent < len(data):
                break
            sent -= len(data)
            whole += 1
        del self._pending[:whole]
        if whole:
            self._begun = False
        if sent:  # a view: a large message is not copied once for each part of it
            self._pending[0] = memoryview(self._pending[0])[sent:]
            self._begun = True

    def _block(self) -> None:
        self._blocked = True
        if self._drainer is None and not self._told:
            self._told = True
            self._loop.call_soon(self._tell_blocked)

    def _tell_blocked(self) -> None:
        self._told = False
        if self.on_blocked is not None and self._blocked and self._drainer is None:
            self.on_blocked()

    def _break(self) -> None:
        with self._lock:
            self.broken = True
            self._blocked = False  # nobody needs to be told
            self._pending.clear()
            self.size = 0

    # -- in ---------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """
        Wait for bytes from the peer and return them, ``b""`` at its end. Always a checkpoint.

        Raises:
            OSError: The connection was reset, or closed on this side.
        """
        while True:
            try:
                await wait_readable(self._sock)
                return self._sock.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                continue  # it was for somebody else, or a checksum was wrong
            except (trio.ClosedResourceError, ValueError):
                raise ConnectionAbortedError("closed on this side") from None

    # -- its end ----------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Say that no more comes from here (FIN behind what was written). Loop thread."""
        with self._lock:
            if not self.broken:
                self.broken = True
                try:
                    self._sock.shutdown(socket.SHUT_WR)
                except OSError:
                    return  # the peer has reset it meanwhile

    def close(self, *, reset: bool = False) -> None:
        """Close the socket, by *reset* without what is unsent. Loop thread; may be repeated."""
        with self._lock:
            self._break()
            if self._sock.fileno() >= 0:
                if reset:
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                close_socket(self._sock)

    def __repr__(self) -> str:
        state = "broken" if self.broken else "blocked" if self._blocked else "open"
        return f"<Wire {state}, {self.size} bytes unsent>"
