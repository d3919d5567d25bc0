# A WebSocket client on a real socket that does not read unless it is told to: what a phone in a
# tunnel looks like to a server. Plain blocking sockets, so that it works beside any test.

import base64
import os
import socket
import struct
from types import TracebackType
from urllib.parse import urlsplit

from ._errors import HandshakeRefused, NothingCame, SocketClosed

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10


class SlowReader:
    """
    A WebSocket to *url* (``ws://...``) that reads only in :meth:`receive` and :meth:`drain`.

    A context manager; entered, its handshake is over. It answers no pings while it does not read,
    offers no compression, and has the smallest receive buffer that the system gives.

    Args:
        url: Where to connect.
        headers: More headers for the handshake.
        timeout: Seconds that each wait may take.
        buffer: Bytes of its socket's receive buffer.

    Raises:
        HandshakeRefused: The server did not accept.
        NothingCame: It did not answer within *timeout* seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = 10.0,
        buffer: int = 4096,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise ValueError(f"url must be like ws://127.0.0.1:8000/path. Got: {url!r}")
        self._host, self._port = parts.hostname, parts.port or 80
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers, self._timeout, self._buffer = headers or {}, timeout, buffer
        self._socket: socket.socket
        self.bytes_read = 0
        """What came behind the handshake and was read."""

    def __enter__(self) -> "SlowReader":
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            self._socket.settimeout(self._timeout)
            self._socket.connect((self._host, self._port))
            self._shake_hands()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send_text(self, text: str) -> None:
        """Send a text message. Blocks while the server takes nothing."""
        self._send(_TEXT, text.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message. Blocks while the server takes nothing."""
        self._send(_BINARY, data)

    def receive(self) -> str | bytes:
        """
        Read one message, and no byte more than it takes. Blocks.

        Raises:
            SocketClosed: The server closed instead; with 1006 where it reset the connection.
            NothingCame: Nothing came within *timeout* seconds.
        """
        __tracebackhide__ = True
        message, kind = b"", 0
        while True:
            final, opcode, payload = self._frame()
            if opcode == _CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                raise SocketClosed(code, payload[2:].decode())
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode != _PONG:
                message, kind = message + payload, kind or opcode
                if final:
                    return message.decode() if kind == _TEXT else message

    def drain(self) -> SocketClosed:
        """
        Read on until the server has closed, and return how it did. Blocks.

        Raises:
            NothingCame: Nothing came for *timeout* seconds.
        """
        __tracebackhide__ = True
        while True:
            try:
                self.receive()
            except SocketClosed as closed:
                return closed

    def _shake_hands(self) -> None:
        lines = {
            "Host": f"{self._host}:{self._port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **self._headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"GET {self._target} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):  # byte by byte: what is behind it stays unread
            answer += self._read(1)
        status = int(answer.split(b" ", 2)[1])
        if status != 101:
            pairs = [line.split(b": ", 1) for line in answer.split(b"\r\n")[1:] if line]
            raise HandshakeRefused(status, b"", [(name.lower(), value) for name, value in pairs])

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        payload = self._read(size)
        self.bytes_read += 2 + size
        return bool(first & 128), first & 15, payload

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self._socket.recv(size - len(data))
            except TimeoutError:
                raise NothingCame(
                    f"nothing came from the server within {self._timeout:g} s."
                    f" Read before: {self.bytes_read} bytes of frames."
                ) from None
            except ConnectionError as error:
                raise SocketClosed(1006, f"the connection was cut: {error.strerror}") from None
            if not piece:
                raise SocketClosed(1006, "the connection ended without a close")
            data += piece
        return data

    def _send(self, opcode: int, payload: bytes) -> None:
        mask, size = os.urandom(4), len(payload)
        if size < 126:
            head = struct.pack("!BB", 128 | opcode, 128 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 128 | opcode, 128 | 126, size)
        else:
            head = struct.pack("!BBQ", 128 | opcode, 128 | 127, size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self._socket.sendall(head + mask + masked)
