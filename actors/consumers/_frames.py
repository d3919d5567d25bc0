"""Frames on their way out."""

from __future__ import annotations

from ._event_codec import encode_event


class Frame:
    """
    One outgoing text or binary message, encoded once and shared by all who get it.

    Immutable. ``size`` is in bytes, as it counts against a connection's output.
    """

    # `_event` has no value until it is asked for: frames of WebSockets pay nothing for it.
    __slots__ = ("_asgi", "_event", "data", "packed", "size", "text", "wire")

    def __init__(self, text: str | None, data: bytes | None, size: int) -> None:
        self.text = text
        self.data = data
        self.size = size
        self.wire: bytes | None = None
        """Its bytes on a socket, once somebody has made them."""
        self.packed: dict[int, bytes] | None = None
        """The same, compressed, by the size of the window."""
        self._asgi: dict[str, object] | None = None

    @classmethod
    def of_text(cls, text: str) -> Frame:
        """Make a text frame."""
        # isascii() reads a flag, so the common case costs no encoding here.
        return cls(text, None, len(text) if text.isascii() else len(text.encode()))

    @classmethod
    def of_bytes(cls, data: bytes | bytearray | memoryview) -> Frame:
        """Make a binary frame; a mutable buffer is copied."""
        data = bytes(data)
        return cls(None, data, len(data))

    def asgi(self) -> dict[str, object]:
        """Return the ASGI event of this frame; made once, shared, not to be changed."""
        if self._asgi is None:
            key, value = ("text", self.text) if self.text is not None else ("bytes", self.data)
            self._asgi = {"type": "websocket.send", key: value}
        return self._asgi

    def event(self) -> bytes:
        """Return it as the bytes of an event stream: of a binary one they are given as they are."""
        if self.data is not None:
            return self.data
        try:
            return self._event
        except AttributeError:
            self._event: bytes = encode_event(self.text)
            return self._event

    def __repr__(self) -> str:
        kind = "text" if self.text is not None else "binary"
        return f"<Frame {kind} {self.size} bytes>"


def frame_of(text: str | None, data: bytes | bytearray | memoryview | None) -> Frame:
    """
    Make a frame of exactly one of *text* and *data*.

    Raises:
        TypeError: None or both were given, or one of another type.
    """
    if text is not None and data is None:
        if not isinstance(text, str):
            raise TypeError(f"text must be a str. Got: {type(text).__name__}")
        return Frame.of_text(text)
    if data is not None and text is None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"bytes must be bytes-like. Got: {type(data).__name__}")
        return Frame.of_bytes(data)
    raise TypeError(
        "send needs exactly one of text=... and bytes=.... Got: "
        + ("both" if text is not None else "neither")
    )
