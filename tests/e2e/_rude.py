# A WebSocket client without manners: raw bytes in, raw bytes out, on one TCP connection. What
# trio-websocket hides (segments, close frames, resets, half-closed sockets) shows here.

import base64
import os
import socket
import struct
from types import TracebackType

import trio
from e2e._server import WAIT_SECONDS, Server

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole masked frame, as a client has to send it."""
    mask = os.urandom(4)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    whole = mask * (size // 4) + mask[: size % 4]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")
    return head + mask + masked


def text(*messages: str) -> bytes:
    """Text frames, back to back."""
    return b"".join(frame(TEXT, message.encode()) for message in messages)


class Ended(Exception):
    """The server has ended the TCP connection; ``reset`` says how."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("reset" if reset else "end of stream")
        self.reset = reset


class RudeClient:
    """One TCP connection to *server*; an async context manager."""

    def __init__(self, server: Server, path: str, *, receive_buffer: int | None = None) -> None:
        self._server, self._path = server, path
        self._receive_buffer = receive_buffer
        self.received = b""
        """Everything since the handshake's answer, frames already returned included."""
        self._parsed = 0
        self.status = 0
        self.head = ""

    async def __aenter__(self) -> "RudeClient":
        raw = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if self._receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        await raw.connect((self._server.host, self._server.port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = raw
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    async def ask(self, behind: bytes = b"") -> None:
        """Send the handshake, *behind* in the same segment, and wait for nothing."""
        key = base64.b64encode(os.urandom(16)).decode()
        await self.send(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._server.host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            + behind
        )

    async def handshake(self) -> int:
        """Send the handshake and return the status of the answer."""
        await self.ask()
        return await self.answer()

    async def answer(self) -> int:
        """Wait for the answer to the handshake, without its body."""
        await self.read_until(b"\r\n\r\n")
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        self.status = int(head.split()[1])
        return self.status

    async def read_until(self, part: bytes) -> None:
        """Read until *part* has come."""
        with trio.fail_after(WAIT_SECONDS):
            while part not in self.received:
                await self._more()

    async def send(self, data: bytes) -> None:
        """Send *data*, in one segment where it fits one."""
        while data:
            data = data[await self.socket.send(data) :]

    async def frame(self) -> tuple[int, bytes]:
        """
        Return the next frame: its opcode and payload.

        Raises:
            Ended: The server has ended the connection.
        """
        with trio.fail_after(WAIT_SECONDS):
            while (found := self._parse()) is None:
                await self._more()
        return found

    async def text(self) -> str:
        """Return the next frame, which has to be a text frame."""
        opcode, payload = await self.frame()
        assert opcode == TEXT, f"opcode {opcode}: {payload!r}"
        return payload.decode()

    async def close_code(self) -> int:
        """Read up to the close frame; return its code."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0]

    async def end(self) -> Ended:
        """Read until the server ends the connection, and say how it did."""
        try:
            while True:
                with trio.fail_after(WAIT_SECONDS):
                    await self._more()
        except Ended as ended:
            return ended

    def reset(self) -> None:
        """Vanish: RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self) -> None:
        """Send FIN; go on listening."""
        self.socket.shutdown(socket.SHUT_WR)

    async def _more(self) -> None:
        try:
            data = await self.socket.recv(65536)
        except OSError:
            raise Ended(reset=True) from None
        if not data:
            raise Ended(reset=False)
        self.received += data

    def _parse(self) -> tuple[int, bytes] | None:
        data = self.received[self._parsed :]
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            return None
        self._parsed += at + size
        return data[0] & 0x0F, data[at : at + size]
