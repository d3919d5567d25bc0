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
#   LAST       behind a Last nothing goes out, also when a thread wrote it in between.
#   TOLD       who waits for room is told whenever the socket has taken some, who drains when it
#              has taken all; both when it is broken.
#   ONE AT A TIME  what is written while a thread writes, by a __del__, goes out behind it, once.
#
# The loop's thread appends without the lock, which costs more than all the rest of it: what
# is appended is taken off a list by whoever holds the lock and writes to the socket.
#
# Turned down: trio.SocketStream.send_all (15 us against 3, and it can't be called from a
# thread); a writer task for each connection (two more turns of the loop a message).

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import get_ident
from typing import Protocol

import trio

from ...actors._lowlevel import LoopThread, StepEnd, close_socket, wait_readable
from ._pieces import Last, Pieces, cut, joined
from ._poller import READ, WRITE, Poller

READ_BYTES = 65536
_JOIN_BYTES = 65536  # what costs less to copy than to hand over one by one
_VECTORS = 64
_PIECES = 1024  # more of them than this do not wait one by one
_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds: what is unsent is thrown away


class Reader(Protocol):
    """Whoever is called when there is something to read."""

    def readable(self) -> None:
        """Read, by :meth:`Wire.receive`."""
        ...

    def failed(self, error: Exception) -> None:
        """Make an end: :meth:`readable` has raised *error*, and is not called again."""
        ...


class Wire:
    """
    The socket of one connection, owned from here on. Made on the loop's thread.

    Args:
        sock: Connected and non-blocking.
    """

    __slots__ = (
        "_begun", "_blocked", "_ended", "_ending", "_flushing", "_gone", "_lock", "_loop",
        "_pending", "_put_off", "_reader", "_room", "_sending", "_sock", "_step_end", "_waiting",
        "_writes", "_writes_by_threads", "_written", "_written_by_threads", "broken", "on_room",
        "poller",
    )  # fmt: skip

    def __init__(self, sock: socket.socket) -> None:
        self.on_room: Callable[[], object] | None = None
        """Called on the loop's thread when some of what had to wait was taken, or never will be."""
        self.broken = False
        """Whether writing has failed, or the socket was closed: what is written is lost."""
        self._sock = sock
        self._loop = LoopThread.current()
        self._step_end = StepEnd.current()
        self.poller = Poller.current()
        self._reader: Reader | None = None  # is called while it is one
        self._waiting = 0  # tasks that wait for something to read
        self._lock = threading.RLock()
        self._pending: list[bytes] = []  # written; only who holds the lock takes
        self._sending: Pieces = []  # taken
        self._begun = False  # the first of them went out in part
        self._ending = False  # a Last was written
        self._ended = False  # a Last was taken
        self._written = 0  # bytes, by the loop's thread
        self._written_by_threads = 0
        self._writes = self._writes_by_threads = 0
        self._gone = 0  # taken by the socket, or thrown away
        self._put_off = False  # a flush at the end of this step is due
        self._blocked = False  # the socket takes no more; the poller says when it does
        self._flushing = False
        self._room: trio.Event | None = None  # a task waits for it

    # -- out ------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes that the socket has not taken yet. Any thread."""
        return 0 if self.broken else self._written + self._written_by_threads - self._gone

    @property
    def blocked(self) -> bool:
        """Whether the socket takes no more, so that who waits will be told. Any thread."""
        return self._blocked

    @property
    def written(self) -> tuple[int, int]:
        """How often something was written so far, and how many bytes in all. Any thread."""
        size = self._written + self._written_by_threads
        return self._writes + self._writes_by_threads, size

    @property
    def gone(self) -> int:
        """Bytes that were taken by the socket, or thrown away, so far. Any thread."""
        return self._gone

    def write(self, data: bytes, most: int | None = None) -> bool:
        """
        Append *data*; False when the connection is broken. Any thread, never blocks.

        Behind a :class:`Last` it is dropped. With *most*, it is not written, which is False
        as well, when more bytes would wait then.
        """
        if self.broken:
            return False
        if most is not None:
            waiting = self._written + self._written_by_threads - self._gone
            if waiting + len(data) > most:
                return False
        # Counted first, so that nobody finds more gone than was written.
        if get_ident() == self._loop.ident:
            self._written += len(data)
            self._writes += 1
            self._pending.append(data)
            if self._blocked:
                if len(self._pending) > _PIECES:
                    self._join()
            elif not self._put_off:
                self._put_off = True
                self._step_end.call(self._flush_put_off)
            return True
        with self._lock:
            self._written_by_threads += len(data)
            self._writes_by_threads += 1
            self._pending.append(data)
            if self._blocked:
                if len(self._pending) > _PIECES:
                    self._join()
            elif not self._put_off:
                self._flush()
            return not self.broken

    def write_last(self, data: bytes) -> bool:
        """Append *data*, behind which nothing goes out; otherwise as :meth:`write`."""
        self._ending = True  # first, so that who takes it looks for it
        return self.write(Last(data))

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
        while True:
            self.flush()
            # Not for want of size: a thread that writes meanwhile may never have to wait.
            if not self._blocked or self.broken:
                return not self.broken
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def discard(self) -> None:
        """Throw away what waits, but for the rest of a write that went out in part."""
        with self._lock:
            if self._flushing:  # in the very middle of it, by a __del__: what is sent goes out
                self._gone += sum(map(len, self._pending))
                self._pending.clear()
                return
            self._take()
            thrown = self._sending[self._begun :]
            del self._sending[self._begun :]
            self._gone += sum(map(len, thrown))
            if any(type(data) is Last for data in thrown):
                self._ended = False

    def _flush_put_off(self) -> None:
        with self._lock:
            self._put_off = False
            if not self._blocked:
                self._flush()

    # Under the lock, all of these.

    def _flush(self) -> None:
        if self._flushing:
            return  # a __del__ that the garbage collector ran in there has written, too
        again = True
        while again:
            self._flushing = True
            try:
                self._flush_all()
            finally:
                self._flushing = False
            again = bool(self._pending) and not (self._blocked or self.broken)

    def _flush_all(self) -> None:
        while not self.broken:
            if self._pending:
                self._take()
            if not self._sending:
                return
            try:
                self._send(self._sending)
            except (BlockingIOError, InterruptedError):
                self._blocked = True
                self._watch() if self._loop.is_here() else self._soon(self._watch)
                return
            except OSError:
                self._break()
                # Not now: who is told may want a lock that a thread holds while it writes here.
                self._soon(self._tell_room)
                return

    def _take(self) -> None:
        """Take what was written, in order, up to the last of all."""
        pending, sending = self._pending, self._sending
        written = pending[:]
        del pending[: len(written)]  # not what another thread appends meanwhile
        if not self._ending:
            sending += written
            return
        for data in written:
            if self._ended:
                self._gone += len(data)
                continue
            sending.append(data)
            if type(data) is Last:
                self._ended = True

    def _join(self) -> None:
        """Make few pieces of the many that wait: of three bytes each, they take fifty."""
        with self._lock:
            if not self._flushing:
                self._take()
                begun = int(self._begun)  # of this one the rest waits
                self._sending[begun:] = joined(self._sending[begun:], _JOIN_BYTES)

    def _send(self, sending: Pieces) -> None:
        if len(sending) == 1 or self.size <= _JOIN_BYTES:
            data = sending[0] if len(sending) == 1 else b"".join(sending)
            sent = self._sock.send(data)
            self._gone += sent
            if sent == len(data):
                sending.clear()
                self._begun = False
                return
        else:
            sent = self._sock.sendmsg(sending[:_VECTORS])
            self._gone += sent
        cut(sending, sent)
        self._begun = bool(sending) and type(sending[0]) is memoryview

    def _break(self) -> None:
        with self._lock:
            self.broken = True
            self._blocked = False
            self._pending.clear()
            self._sending.clear()

    def _tell_room(self) -> None:
        self._watch()
        room, self._room = self._room, None
        if room is not None:
            room.set()
        if self.on_room is not None:
            self.on_room()

    def _soon(self, function: Callable[[], object]) -> None:
        with suppress(trio.RunFinishedError):  # then nobody waits any more
            self._loop.call_soon(function)

    # -- in ---------------------------------------------------------------------------------

    def read_with(self, reader: Reader | None) -> None:
        """Have *reader* called whenever there is something to read; None to stop it."""
        self._reader = reader
        self._watch()

    def receive(self) -> bytes | None:
        """Return what has come, ``b""`` at the peer's end, None if it was a false alarm."""
        try:
            return self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None  # a checksum was wrong
        except OSError:
            return b""

    def read_again(self) -> None:
        """Have the reader called in the next turn of the loop, whatever there is to read."""
        self.poller.call_again(self._sock, self)

    async def read(self) -> bytes:
        """
        Wait for bytes from the peer and return them, ``b""`` at its end. Always a checkpoint.

        For a task that reads while there is no :class:`Reader`.

        Raises:
            OSError: The connection was reset, or closed on this side.
        """
        self._waiting += 1
        try:
            while True:
                try:
                    await wait_readable(self._sock)
                    return self._sock.recv(READ_BYTES)
                except (BlockingIOError, InterruptedError):
                    continue  # it was for somebody else, or a checksum was wrong
        except (trio.ClosedResourceError, ValueError):
            raise ConnectionAbortedError("closed on this side") from None
        finally:
            self._waiting -= 1

    # -- what the poller calls ----------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Read or write, as *events* say."""
        if events != READ and self._blocked:  # an error is told to whoever wants to write
            with self._lock:
                self._blocked = False
                self._flush()
            if not self._blocked:
                self._tell_room()
            elif self.on_room is not None:
                self.on_room()
        if events != WRITE and self._reader is not None:
            self._reader.readable()

    def failed(self, error: Exception) -> None:
        """Reset the connection: reading or writing has raised *error*, which is our fault."""
        reader = self._reader
        self.close(reset=True)
        if reader is not None:
            reader.failed(error)

    def _watch(self) -> None:
        if self._sock.fileno() >= 0:
            reading = READ if self._reader is not None else 0
            writing = WRITE if self._blocked else 0
            try:
                self.poller.watch(self._sock, self, reading | writing)
            except OSError as error:  # the system watches no more of them
                # Not now: who is told wants locks, and this one may be held.
                self._soon(partial(self.failed, error))

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
                self._reader = None
                self.poller.unwatch(self._sock)
                if self._waiting:
                    close_socket(self._sock)
                else:  # nobody to tell, which takes as long as all the rest
                    self._sock.close()
        self._tell_room()

    def __repr__(self) -> str:
        state = "broken" if self.broken else "blocked" if self._blocked else "open"
        return f"<Wire {state}, {self.size} bytes unsent>"
