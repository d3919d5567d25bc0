# The message that is coming in, when it does not lie in one piece in one read.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_message.py:
#   BOUNDED    a frame is refused by the length in its head, before its payload is kept; what
#              is inflated never exceeds the limit by more than a byte; fragments are counted,
#              as empty ones would cost time for ever and add no byte.
#   FAIL FAST  text that can't become UTF-8 any more is refused with the byte that shows it
#              (half a surrogate pair with its last byte, as Python's decoder does it).
#
# Kept as bytes and decoded at the end. Turned down: keeping the decoded pieces, which saves
# decoding twice, but a piece of one character takes 25 times the byte it came in.

import codecs

from ._close import BAD_DATA, POLICY, PROTOCOL_ERROR, TOO_BIG, Violation
from ._deflate import Inflater
from ._head import BINARY, CONTINUATION, TEXT, Head


class Message:
    """
    One message at a time, put together from pieces of frames.

    Args:
        max_bytes: The longest message that is let in, counted uncompressed.
        max_fragments: The most frames that a message may consist of.
        inflate: What decompresses, if compression was agreed on.
    """

    __slots__ = (
        "_checked", "_content", "_fragments", "_inflate", "_inflating", "_max_bytes",
        "_max_fragments", "_wire_bytes", "opcode",
    )  # fmt: skip

    def __init__(self, max_bytes: int, max_fragments: int, inflate: Inflater | None) -> None:
        self._max_bytes = max_bytes
        self._max_fragments = max_fragments
        self._inflate = inflate
        self.opcode: int
        """The first frame's opcode; 0 between messages."""
        self._inflating: bool
        self._content: bytearray
        self._checked: int  # so many bytes of text are whole characters
        self._fragments: int
        self._wire_bytes: int
        self.drop()

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._content)

    def limit(self, max_bytes: int) -> None:
        """Let in messages of so many bytes from now on."""
        self._max_bytes = max_bytes

    def begin_frame(self, head: Head) -> None:
        """
        Take note of a data frame's head.

        Raises:
            Violation: The frame has no place here (1002), makes the message too big (1009)
                or is one too many (1008).
        """
        if head.opcode == CONTINUATION:
            if not self.opcode:
                raise Violation(PROTOCOL_ERROR, "continuation of no message")
        elif self.opcode:
            raise Violation(PROTOCOL_ERROR, "new message inside a message")
        else:
            self.opcode, self._inflating = head.opcode, head.compressed
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise Violation(POLICY, f"message of more than {self._max_fragments} fragments")
        self._wire_bytes += head.length
        if self._wire_bytes > self._most_wire_bytes():
            raise self._too_big()

    def add(self, piece: bytes) -> None:
        """
        Add unmasked payload.

        Raises:
            Violation: It is not UTF-8 (1007), can't be inflated (1007), or inflates to too
                much (1009).
        """
        if self._inflating:
            assert self._inflate is not None
            piece = self._inflate.inflate(piece, self._max_bytes - len(self._content) + 1)
        self._keep(piece)

    def end(self) -> str | bytes:
        """
        Return the whole message and be ready for the next.

        Raises:
            Violation: As :meth:`add`; also for text that ends within a character.
        """
        if self._inflating:
            assert self._inflate is not None
            self._keep(self._inflate.end(self._max_bytes - len(self._content) + 1))
        whole: str | bytes
        if self.opcode == BINARY:
            whole = bytes(self._content)
        else:
            try:
                whole = self._content.decode()
            except UnicodeDecodeError:
                raise not_utf8() from None
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget what is kept; be ready for the next message."""
        self.opcode = 0
        self._inflating = False
        self._content = bytearray()
        self._checked = 0
        self._fragments = 0
        self._wire_bytes = 0

    def _keep(self, piece: bytes) -> None:
        self._content += piece
        if self.opcode == TEXT:
            fresh = self._content[self._checked :]  # with the head of a split character
            try:
                self._checked += codecs.utf_8_decode(fresh, "strict", False)[1]
            except UnicodeDecodeError:
                raise not_utf8() from None
        # Only what was inflated can be too much here, and by one byte: add() asks for no more.
        # Behind the look at the text, or it would depend on the cut which of the two is found.
        if len(self._content) > self._max_bytes:
            raise self._too_big()

    def _most_wire_bytes(self) -> int:
        # What deflate can't shrink it makes a little longer.
        most = self._max_bytes
        return most + (most >> 6) + 64 if self._inflating else most

    def _too_big(self) -> Violation:
        return Violation(TOO_BIG, f"message over {self._max_bytes} bytes")


def not_utf8() -> Violation:
    """Return what text that is not UTF-8 is answered with."""
    return Violation(BAD_DATA, "text is not UTF-8")
