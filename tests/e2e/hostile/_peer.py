# One probe on one raw socket: send, read what comes, say how it ended. And the innocent one.
#
# Blocking sockets with a deadline. A server that ends the connection while a peer still sends
# is no fault: what it said before that counts.

import re
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from e2e.hostile._probe import CLOSE, DEFLATE, TEXT, Probe, frame, upgrade

SECONDS = 20.0
"""For everything that one probe does; a test that passes waits for less."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_RESET = struct.pack("ii", 1, 0)
_DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Outcome:
    """What came of a probe."""

    received: bytes
    ended: str
    """``end`` or ``reset`` by the server, ``ours`` by us, ``late`` by the deadline."""
    shaken: bool

    @property
    def statuses(self) -> list[int]:
        """The HTTP responses, interim ones left out."""
        found = [int(status) for status in _STATUS.findall(self.received)]
        return [status for status in found if status != 100]

    @property
    def close_code(self) -> int | None:
        """The code in the server's close frame; 1005 for none in it, None for no frame."""
        for opcode, payload in server_frames(self.received):
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else 1005
        return None

    def answers(self, probe: Probe) -> bool:
        """Whether what is due has come."""
        if self.shaken:
            return self.close_code in probe.due
        return bool(self.statuses) and self.statuses[0] in probe.due


def server_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the whole frames in *data*: opcode and payload."""
    at = 0
    while at + 2 <= len(data):
        opcode, size, start = data[at] & 15, data[at + 1] & 0x7F, at + 2
        if size > 125:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : start], "big")
        at = start + size
        if at > len(data):
            return
        yield opcode, data[start:at]


class Peer:
    """One connection to the server on *port*; a context manager."""

    def __init__(self, port: int, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._give_up = time.monotonic() + seconds
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self.received = bytearray()
        self.ended = ""

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send *data*, reading meanwhile, unless the server ends the connection."""
        view = memoryview(data)
        while view and not self.ended:
            readable, writable, _ = select.select([self._socket], [self._socket], [], self._left())
            if readable:
                self._read()
            elif not writable:
                self.ended = "late"
            if writable and not self.ended:
                try:
                    view = view[self._socket.send(view) :]
                except BlockingIOError:
                    pass
                except OSError:
                    self._last_words()

    def drip(self, data: bytes) -> None:
        """Send *data* a byte at a time, each when nothing has come for a while."""
        for at in range(len(data)):
            if select.select([self._socket], [], [], _DRIP_SECONDS)[0]:
                self._read()
            if self.ended or time.monotonic() > self._give_up:
                return
            with suppress(OSError):
                self._socket.send(data[at : at + 1])

    def until(self, there: re.Pattern[bytes]) -> bool:
        """Read until *there* is found or the connection ends; say whether it was."""
        while not there.search(self.received) and not self.ended:
            self._wait_and_read()
        return there.search(self.received) is not None

    def shake(self, *headers: bytes) -> bool:
        """Open a WebSocket, in a time of its own; forget the answer's head. Whether it may."""
        self._give_up = time.monotonic() + SECONDS
        self.send(upgrade(*headers))
        found = self.until(re.compile(rb"\r\n\r\n")) and self.received.startswith(b"HTTP/1.1 101 ")
        del self.received[: self.received.find(b"\r\n\r\n") + 4]
        self._give_up = time.monotonic() + self._seconds
        return found

    def finish(self, how: str) -> None:
        """End it as a probe says, and read until the server's end."""
        if how == "reset":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._socket.close()
            self.ended = self.ended or "ours"
        if how == "half-close" and not self.ended:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        while not self.ended:
            self._wait_and_read()

    def _left(self) -> float:
        return max(0.0, self._give_up - time.monotonic())

    def _wait_and_read(self) -> None:
        if select.select([self._socket], [], [], self._left())[0]:
            self._read()
        else:
            self.ended = "late"

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            self.ended = "reset"
            return
        self.received += data
        if not data:
            self.ended = "end"

    def _last_words(self) -> None:
        """Read what came before the server's end made our sending fail."""
        while not self.ended and select.select([self._socket], [], [], 0)[0]:
            self._read()
        self.ended = self.ended or "reset"


def throw(port: int, probe: Probe, seconds: float = SECONDS) -> Outcome:
    """Do what *probe* says to the server on *port*, within *seconds*."""
    with Peer(port, seconds) as peer:
        if probe.shaken:
            offer = (DEFLATE,) if probe.deflates else ()
            assert peer.shake(*offer), f"no handshake: {peer.ended} {bytes(peer.received[:200])!r}"
        for data in probe.sent:
            peer.send(data)
        peer.drip(probe.drip)
        if probe.due and not probe.ends:
            peer.until(_STATUS)
        peer.finish(probe.then)
        return Outcome(bytes(peer.received), peer.ended, probe.shaken)


class Innocent:
    """A WebSocket that was opened before; it asks and must be answered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(upgrade())
        while self._file.readline() not in (b"\r\n", b""):
            pass
        self._asked = 0

    def ask(self) -> bool:
        """Send a message nobody sent before; say whether it came back."""
        self._asked += 1
        text = f"question {self._asked}".encode()
        try:
            self._socket.sendall(frame(TEXT, text))
            while True:
                first, size = self._file.read(2)
                payload = self._file.read(size)
                if first & 15 == TEXT:
                    return payload == text
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Go, without a word."""
        self._file.close()
        self._socket.close()
