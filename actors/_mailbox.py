"""The only way into an actor: a control lane, and one FIFO for all the rest."""

# Invariants, each with a test of that name in tests/actors/test_mailbox.py:
#   FIFO      frames, messages, calls and ticks are taken in the order they came.
#   CONTROL   control items overtake the FIFO and ignore the capacity; otherwise a
#             full mailbox would make an actor impossible to stop.
#   NO LOSS   taking is synchronous: a cancelled actor has either taken an item or
#             left it, and what it took but did not begin goes back to the front.
#   BOUNDED   messages count against `capacity`, frames against the read-ahead
#             (so that a flooding peer is held back by TCP and never fills the
#             mailbox for others); a timer has at most one tick in here.
#
# A deque and one parked task, not a trio memory channel: a channel can't have a
# second lane, can't be given an item back, and costs two task switches a message.
# Any thread may put; only the actor's task takes. Frames are put and taken by the loop's
# thread without the lock, which costs more than the rest: their counts are that thread's
# own, and a deque's ends are safe.

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

import trio

from ._counts import Counts
from ._lowlevel import Parker
from ._messages import Call, Cast, InFrame, Item, PeerEnd, Stop, Tick
from ._overflow import Put

if TYPE_CHECKING:
    from ._lowlevel import LoopThread


_ALARM_FROM = 10
"""The smallest capacity that has an alarm: a smaller mailbox is high with each few messages."""


@cache  # one object for all mailboxes of a kind, not one for each
def _read_ahead(messages: int, size: int) -> tuple[int, int]:
    return messages, size


@cache  # likewise
def _mark(capacity: int) -> int:
    """Return how many messages wait in a mailbox which the next one makes high."""
    return -(-capacity * 4 // 5) - 1 if capacity >= _ALARM_FROM else capacity


class Mailbox(Counts):
    """The queue of one slot; it survives the slot's restarts."""

    __slots__ = (
        "__weakref__", "_closed", "_lock", "_loop", "_mark", "_read_ahead", "_resume_reading",
        "_room_waiters", "capacity", "control", "parker",
    )  # fmt: skip

    def __init__(
        self,
        loop: LoopThread,
        *,
        capacity: int,
        read_ahead_messages: int = 16,
        read_ahead_bytes: int = 65536,
    ) -> None:
        super().__init__()
        self.capacity = capacity
        # Where the next message is not simply taken: the alarm's mark, or once it is high, the
        # capacity. So as long as it is neither, both cost one comparison together.
        self._mark = _mark(capacity)
        self.parker = Parker()
        self.control: list[Stop] = []
        self._loop = loop
        # Reentrant: a __del__ that the garbage collector runs in here may send, too.
        self._lock = threading.RLock()
        self._read_ahead = _read_ahead(read_ahead_messages, read_ahead_bytes)
        self._closed = False
        self._resume_reading: Callable[[], object] | None = None
        # In order; None until somebody waits: an empty one for each idle socket is 64 bytes.
        self._room_waiters: dict[Callable[[], object], None] | None = None

    @property
    def _lane(self) -> deque[Item]:
        if self._made is None:
            with self._lock:  # by one of two threads
                if self._made is None:
                    self._made = deque()
        return self._made

    @property
    def closed(self) -> bool:
        """Whether the slot has ended: nothing is taken any more."""
        return self._closed

    @property
    def read_room(self) -> int:
        """How many more frames the connection's reader may put. Loop thread only."""
        messages, size = self._read_ahead
        if self._frame_bytes - self._bytes_taken >= size:
            return 0
        return messages - self._frames + self._frames_taken

    @property
    def high(self) -> bool:
        """
        Whether four fifths of it were full, and it has not been normal since.

        One that holds less than 10 messages never is.
        """
        return self._mark == self.capacity >= _ALARM_FROM

    def ease(self) -> bool:
        """Whether it was high and is normal now: less than half of it is full. Any thread."""
        with self._lock:
            if not self.high or 2 * self._messages >= self.capacity:
                return False
            self._mark = _mark(self.capacity)
            return True

    def put_message(self, item: Cast | Call) -> Put:
        """Add a message at the end if there is room. Any thread, never blocks."""
        put = Put.TAKEN
        with self._lock:
            if self._closed:
                return Put.CLOSED
            if self._messages >= self._mark:
                if self._messages >= self.capacity:
                    return Put.FULL
                put, self._mark = Put.RISEN, self.capacity
            self._messages += 1
            lane = self._lane
            if not lane and not self.idle:
                self._mark_waits((item,), perf_counter())
            lane.append(item)
        self._wake()
        return put

    def put_over_oldest(self, item: Cast | Call) -> tuple[Put, Cast | Call | None]:
        """Add a message; where the mailbox is full the oldest message leaves it."""
        oldest: Cast | Call | None = None
        with self._lock:
            if self._closed:
                return Put.CLOSED, None
            if self._messages >= self.capacity:
                oldest = self._take_oldest()
            self._messages += 1
            lane = self._lane
            first = not lane and not self.idle
            lane.append(item)
            if first or oldest is not None:  # what was behind that may have no mark of its own
                self._mark_waits(lane, perf_counter())
        self._wake()
        return Put.TAKEN, oldest

    def _take_oldest(self) -> Cast | Call | None:
        """Remove the oldest message. Under the lock, which the actor's task does without."""
        for item in tuple(self._lane):
            if type(item) is Cast or type(item) is Call:
                with suppress(ValueError):  # taken in this very moment: then the next is
                    self._lane.remove(item)
                    self._messages -= 1
                    self._others_taken += 1
                    return item
        return None

    def put_arrival(self, item: PeerEnd | Tick) -> bool:
        """
        Add what never counts against the capacity. Any thread, never blocks.

        False means that the slot has ended.
        """
        with self._lock:
            if self._closed:
                return False
            lane = self._lane
            if not lane and not self.idle:
                self._mark_waits((item,), perf_counter())
            lane.append(item)
        self._wake()
        return True

    def put_frames(self, frames: Sequence[InFrame]) -> bool:
        """
        Add frames; say whether more may come. Loop thread, never blocks.

        They are never refused, so that no frame is lost that was read already; once the slot
        has ended they are dropped.
        """
        if self._closed:
            return True
        self._frames += len(frames)
        for frame in frames:
            self._frame_bytes += frame.size
        lane = self._made if self._made is not None else self._lane
        if not lane and not self.idle:
            self._mark_waits(frames, perf_counter())
        lane.extend(frames)
        self.parker.wake()
        messages, size = self._read_ahead
        return (
            self._frames - self._frames_taken < messages
            and self._frame_bytes - self._bytes_taken < size
        )

    def put_control(self, item: Stop) -> None:
        """Add to the control lane. Any thread, never blocks, never refused."""
        self.control.append(item)
        self._wake()

    def take(self) -> Item | None:
        """Remove and return the next item of the FIFO, or None. Actor's task only."""
        lane = self._made
        if not lane:
            return None
        item = lane.popleft()
        if type(item) is InFrame:
            self._frames_taken += 1
            self._bytes_taken += item.size
        else:
            with self._lock:
                self._uncount(item)
        if self._resume_reading is not None or self._room_waiters:
            self._tell_room(item)
        return item

    def take_run(self, first: Item, most: int, fits: Callable[[Item], bool]) -> list[Item]:
        """Return *first* and up to *most* - 1 items behind it as long as each fits."""
        run = [first]
        if not self._lane:  # as mostly; what comes in this moment has its own turn
            return run
        with self._lock:
            while len(run) < most and self._lane and fits(self._lane[0]):
                item = self._lane.popleft()
                self._uncount(item)
                run.append(item)
        for item in run[1:]:
            self._tell_room(item)
        return run

    def put_back(self, items: Sequence[Item]) -> None:
        """Put items that were taken but not begun back to the front, in order."""
        if not items:
            return
        with self._lock:
            for item in reversed(items):
                self._count(item)
                self._lane.appendleft(item)

    def close(self) -> list[Item]:
        """Take nothing any more; return what still waits. Loop thread only."""
        with self._lock:
            self._closed = True
            rest = list(self._made or ())
            if self._made is not None:
                self._made.clear()
            self._messages = 0
            self._frames_taken, self._bytes_taken = self._frames, self._frame_bytes
        self._tell_reader()
        self._call_waiters()
        return rest

    def on_read_room(self, resume: Callable[[], object]) -> None:
        """
        Call *resume* once, when half of the read-ahead is free, or the mailbox is closed.

        At once if that is so. Loop thread only; one reader at a time.
        """
        self._resume_reading = resume
        if self._closed or self._half_free():
            self._tell_reader()

    async def wait_read_room(self) -> None:
        """Wait for what :meth:`on_read_room` tells. A checkpoint only when it waits."""
        room = Parker()
        told = False

        def tell() -> None:
            nonlocal told
            told = True
            room.wake()

        self.on_read_room(tell)
        while not told:
            await room.park()

    async def wait_room(self) -> None:
        """
        Wait until a message may have room, or the mailbox is closed. Always a checkpoint.

        Others may take the room first: try to put, then wait again.
        """
        room = trio.Event()
        self.on_room(room.set)
        try:
            await room.wait()
        except trio.Cancelled:
            self.not_on_room(room.set)
            raise

    def on_room(self, wake: Callable[[], object]) -> None:
        """
        Call *wake* once, now or later, when a message may have room. Any thread.

        One is called for each message that leaves, in the order in which they came: were
        it all of them, a thousand senders would cost a million wake-ups. So who is woken
        tries to put, or says :meth:`not_on_room`.
        """
        with self._lock:
            if self._messages >= self.capacity and not self._closed:
                if self._room_waiters is None:
                    self._room_waiters = {}
                self._room_waiters[wake] = None
                return
        wake()

    def not_on_room(self, wake: Callable[[], object]) -> None:
        """Forget *wake*, which has given up; if it was called, the next is. Any thread."""
        with self._lock:
            if self._room_waiters and wake in self._room_waiters:
                del self._room_waiters[wake]
                return
        if self._loop.is_here():
            self._call_next()
        else:
            with suppress(trio.RunFinishedError):
                self._loop.call_soon(self._call_next)

    def _tell_room(self, item: Item) -> None:
        if type(item) is InFrame:
            if self._resume_reading is not None and self._half_free():
                self._tell_reader()
        elif self._room_waiters:
            self._call_next()

    def _half_free(self) -> bool:
        messages, size = self._read_ahead
        waiting = self._frames - self._frames_taken
        waiting_bytes = self._frame_bytes - self._bytes_taken
        return 2 * waiting <= messages and 2 * waiting_bytes <= size

    def _tell_reader(self) -> None:
        resume, self._resume_reading = self._resume_reading, None
        if resume is not None:
            resume()

    def _call_next(self) -> None:
        with self._lock:
            if not self._room_waiters or self._messages >= self.capacity:
                return
            wake = next(iter(self._room_waiters))
            del self._room_waiters[wake]
        wake()

    def _call_waiters(self) -> None:
        with self._lock:
            waiters, self._room_waiters = self._room_waiters or {}, None
        for wake in waiters:
            wake()

    def _wake(self) -> None:
        if self._loop.is_here():
            self.parker.wake()
        else:
            wake_from_thread(self._loop, self.parker)

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<Mailbox {self.queued} queued, {self._messages}/{self.capacity}{state}>"


def wake_from_thread(loop: LoopThread, parker: Parker) -> None:
    """Wake *parker* from a worker thread; quiet when the loop has ended."""
    try:
        loop.call_soon(parker.wake, idempotent=True)
    except trio.RunFinishedError:
        return  # nobody can be waiting there any more
