# The bytes of one connection, on real socket pairs.

import socket
import threading
from collections.abc import Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.bridges.hypercorn._wire import Wire


class Counting:
    """A socket that counts what is sent at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        count = self._sock.send(data)
        self.sent.append(bytes(data[:count]))
        return count

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """
    Two ends of one connection, non-blocking, with small buffers.
    """
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    yield ours, theirs
    ours.close()
    theirs.close()


def received(sock: socket.socket) -> bytes:
    """
    All that lies in *sock* now.
    """
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except BlockingIOError:
        pass
    return data


async def test_together(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What one step of a task writes is one write to the socket, made when the task suspends.
    """
    ours, theirs = pair
    counting = Counting(ours)
    wire = Wire(counting)
    wire.write(b"one ")
    wire.write(b"two")
    assert received(theirs) == b""
    assert wire.size == 7

    await trio.lowlevel.checkpoint()

    assert received(theirs) == b"one two"
    assert counting.sent == [b"one two"]
    assert wire.size == 0


async def test_a_step_that_ends_its_task(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What a task wrote last goes out though it never suspends again, also when it raises.
    """
    ours, theirs = pair
    wire = Wire(ours)

    async def last_words() -> None:
        wire.write(b"bye")
        raise ValueError

    with pytest.raises(ExceptionGroup):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(last_words)

    assert received(theirs) == b"bye"


async def test_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    A worker thread's write is on the socket when it returns, without a turn of the loop.
    """
    ours, theirs = pair
    wire = Wire(ours)
    thread = threading.Thread(target=wire.write, args=(b"from a thread",))
    thread.start()
    thread.join()

    assert received(theirs) == b"from a thread"


async def test_order(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    A thread's write behind one that the loop has put off goes out behind it.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(b"first ")
    thread = threading.Thread(target=wire.write, args=(b"second",))
    thread.start()
    thread.join()
    await trio.lowlevel.checkpoint()

    assert received(theirs) == b"first second"


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_peer_that_reads_slowly(
    pair: tuple[socket.socket, socket.socket], pieces: int
) -> None:
    """
    What the socket does not take waits, goes out in order as soon as it does, without a task.
    """
    ours, theirs = pair
    wire = Wire(ours)
    whole = bytes(range(256)) * 2000
    size = len(whole) // pieces + 1
    for at in range(0, len(whole), size):
        wire.write(whole[at : at + size])
        await trio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()
    assert 0 < wire.size < len(whole)

    taken = b""
    while len(taken) < len(whole):
        await trio.lowlevel.wait_readable(theirs)
        taken += received(theirs)

    assert taken == whole
    assert wire.size == 0


async def test_told(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    TOLD: who waits for room is told as the socket takes it, and again when the wire breaks.
    """
    ours, theirs = pair
    wire, told = Wire(ours), list[tuple[int, bool]]()
    wire.on_room = lambda: told.append((wire.size, wire.broken))
    wire.write(bytes(100_000))
    await wait_all_tasks_blocked()
    assert told == []
    count = 0
    while count < 100_000:
        await trio.lowlevel.wait_readable(theirs)
        count += len(received(theirs))
    await wait_all_tasks_blocked()
    sizes = [size for size, broken in told if not broken]
    assert len(sizes) > 1
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] == 0

    wire.write(bytes(100_000))
    await wait_all_tasks_blocked()
    theirs.close()
    await wait_all_tasks_blocked()

    assert told[-1] == (0, True)


async def test_a_thread_finds_the_socket_full(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What a worker thread could not write goes out from the loop, also when nobody drains.
    """
    ours, theirs = pair
    wire = Wire(ours)
    await trio.to_thread.run_sync(wire.write, bytes(100_000))
    count = 0
    while count < 100_000:
        await trio.lowlevel.wait_readable(theirs)
        count += len(received(theirs))

    assert wire.size == 0


async def test_several_may_drain(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    Two tasks may wait for the same socket; when one is cancelled the other goes on.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(bytes(500_000))
    done = []

    async def drain(scope: trio.CancelScope) -> None:
        with scope:
            done.append(await wire.drain())

    first, second = trio.CancelScope(), trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, first)
        await wait_all_tasks_blocked()
        nursery.start_soon(drain, second)
        await wait_all_tasks_blocked()
        first.cancel()
        count = 0
        while count < 500_000:
            await trio.lowlevel.wait_readable(theirs)
            count += len(received(theirs))

    assert done == [True]


async def test_last(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    Behind what is the last nothing goes out, whoever writes it; and it counts as gone.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(b"before ")
    wire.write_last(b"last")
    wire.write(b"late")
    thread = threading.Thread(target=wire.write, args=(b"late, too",))
    thread.start()
    thread.join()
    await trio.lowlevel.checkpoint()
    wire.write(b"much too late")
    await trio.lowlevel.checkpoint()

    assert received(theirs) == b"before last"
    assert wire.size == 0


async def test_a_last_that_was_thrown_away(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What is thrown away takes the last of it along: another may be written.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(b"nobody wants it")
    wire.write_last(b"normal end")
    wire.discard()
    assert wire.size == 0
    wire.write_last(b"other end")
    await trio.lowlevel.checkpoint()

    assert received(theirs) == b"other end"


async def test_a_peer_that_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    A write to a peer that is gone breaks the wire: writes answer False, nothing piles up.
    """
    ours, theirs = pair
    wire = Wire(ours)
    theirs.close()
    assert wire.write(b"lost")  # nobody knows yet
    await trio.lowlevel.checkpoint()

    assert wire.broken
    assert not wire.write(b"lost, too")
    assert wire.size == 0
    assert not await wire.drain()


async def test_no_reuse(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    Nothing is written behind close(), though the descriptor's number belongs to another.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(b"put off")
    wire.close()
    await trio.lowlevel.checkpoint()

    assert not wire.write(b"more")
    assert received(theirs) == b""
    wire.close()


async def test_a_close_wakes_who_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    Who reads or drains when the socket is closed here goes on: an error, or False.
    """
    ours, _theirs = pair
    wire = Wire(ours)
    wire.write(bytes(500_000))
    ends: list[object] = []

    async def read() -> None:
        try:
            await wire.read()
        except OSError as error:
            ends.append(type(error))

    async def drain() -> None:
        ends.append(await wire.drain())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(drain)
        await wait_all_tasks_blocked()
        wire.close(reset=True)

    assert set(ends) == {ConnectionAbortedError, False}


async def test_shut_down(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    shut_down() ends this half behind what was written; the other half can still be read.
    """
    ours, theirs = pair
    wire = Wire(ours)
    wire.write(b"last")
    await wire.drain()
    wire.shut_down()
    theirs.send(b"answer")

    assert theirs.recv(100) == b"last"
    assert theirs.recv(100) == b""
    assert await wire.read() == b"answer"
    assert not wire.write(b"more")


async def test_one_at_a_time(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    ONE AT A TIME: what a __del__ writes in the middle of a thread's write goes out behind it.
    """
    ours, theirs = pair

    class Collecting(Counting):
        """A socket in whose send() garbage is collected."""

        def send(self, data: bytes) -> int:
            if not self.sent:
                self.sent.append(b"")
                wire.write(b" last words")
            return super().send(data)

    wire = Wire(Collecting(ours))  # type: ignore[arg-type]
    await trio.to_thread.run_sync(wire.write, b"hello")

    assert received(theirs) == b"hello last words"
    assert wire.size == 0
    wire.close()


async def test_drain_waits_only_for_the_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    TOLD: who drains does not wait for bytes that a thread has counted and not yet written.
    """
    ours, theirs = pair

    class Racing(Counting):
        """A socket whose send() lets a thread count its bytes behind it."""

        def send(self, data: bytes) -> int:
            count = super().send(data)
            wire._written_by_threads += 3
            return count

    wire = Wire(Racing(ours))  # type: ignore[arg-type]
    wire.write(b"ours")
    with trio.fail_after(30):
        assert await wire.drain()

    assert received(theirs) == b"ours"
    wire.close()


async def test_many_small_pieces_wait_as_few(pair: tuple[socket.socket, socket.socket]) -> None:
    """
    What waits for a slow peer in pieces of a few bytes is joined, and comes whole and in order.
    """
    ours, theirs = pair
    wire = Wire(ours)
    expected = b"x" * 1_000_000
    wire.write(expected)
    await wait_all_tasks_blocked()
    for number in range(50_000):
        piece = b"%d," % number
        expected += piece
        wire.write(piece)
    wire.write_last(b"end")
    for number in range(2000):
        wire.write(b"behind the last %d" % number)

    assert len(wire._pending) + len(wire._sending) < 3000
    data = b""
    while not data.endswith(b"end"):
        data += received(theirs)
        await trio.sleep(0)
    assert data == expected + b"end"
    with trio.fail_after(30):
        assert await wire.drain()
    assert wire.size == 0
    wire.close()


async def test_a_system_that_watches_no_more_is_told_without_a_lock(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    When the system refuses to watch a socket, its reader is told later and not under a lock.
    """
    wire, told = Wire(pair[0]), list[bool]()

    class Reader:
        def readable(self) -> None:
            """Never called."""

        def failed(self, error: Exception) -> None:
            told.append(wire._lock._is_owned())  # type: ignore[attr-defined]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    wire.read_with(Reader())
    monkeypatch.setattr(wire.poller, "watch", full)
    wire.write(b"x" * 1_000_000)
    await wait_all_tasks_blocked()

    assert told == [False]
    assert wire.broken
