# What a client sends: bytes in, in whatever pieces; messages and control frames out, in order.
#
# Invariants, each with a test of that name in tests/bridges/websocket/test_decode.py:
#   SPLITS    the items, and the violation that ends them, do not depend on how the bytes were
#             cut into reads; items in front of a violation come out before it is raised.
#   BOUNDED   at most one message and one read are kept, whatever the peer does. (What is fed
#             without being taken is kept as well: who reads on is the caller's decision.)
#   LINEAR    each byte is looked at and copied a number of times that does not depend on how
#             many frames came with it.
#   LAST      behind a close or a violation nothing is returned.
#   SHARES    one call inflates no more than a message beyond 64 KiB, however much would come.
#
# Two ways through. A message that is one frame and came whole, as nearly all do, is cut out of
# what was read with an index for its only state: 0.6 us. For all else the head is parsed
# (_head.py) and a data frame's payload is taken as it comes (_message.py), 4 us a frame; so
# what waits in here is part of a head or of a control frame, at most 130 bytes, and joining it
# with the next read costs nothing.
#
# Turned down: a bytearray for what was read (each slice of it is copied twice), an object for
# each frame, and the same loop once more in next(), which saves 0.2 us for those that never
# have more than one message in a read.

from dataclasses import dataclass

from ._close import Close, Violation, parse_close
from ._deflate import Inflater
from ._head import CLOSE, PING, Head, parse_head
from ._message import Message

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its C extension: slower, the same otherwise
    from websockets.utils import apply_mask

# What Autobahn's limit tests (9.3.1) need for 4 MiB in pieces of 64 bytes.
MAX_FRAGMENTS = 65536

_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82
_INFLATE_BYTES = 65536  # in one call


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping, to be answered with a pong of the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """A pong, asked for or not."""

    payload: bytes


Item = str | bytes | Ping | Pong | Close


class Decoder:
    """
    The incoming side of one WebSocket.

    Args:
        max_message_bytes: The longest message that is let in, counted uncompressed.
        max_fragments: The most frames that one message may consist of.
        inflate: What decompresses, if compression was agreed on.
    """

    __slots__ = (
        "_at", "_data", "_deflate", "_fed", "_fed_bytes", "_final", "_left", "_mask",
        "_max_bytes", "_message", "_over", "_violation", "inflated",
    )  # fmt: skip

    def __init__(
        self,
        max_message_bytes: int,
        max_fragments: int = MAX_FRAGMENTS,
        inflate: Inflater | None = None,
    ) -> None:
        self._message = Message(max_message_bytes, max_fragments, inflate)
        self._max_bytes = max_message_bytes
        self._deflate = inflate is not None
        self.inflated = 0
        """About how many bytes the last call has decompressed."""
        self._data = b""
        self._at = 0  # where in it the next frame begins, or goes on
        self._fed: list[bytes] = []  # read behind it
        self._fed_bytes = 0
        self._left = 0  # payload of the frame under way that has not come
        self._mask = b""
        self._final = False
        self._violation: Violation | None = None  # found behind items that go out first
        self._over = False

    @property
    def buffered(self) -> int:
        """How many bytes are kept that have not come out as an item."""
        return len(self._data) - self._at + self._fed_bytes + self._message.size

    @property
    def empty(self) -> bool:
        """Whether nothing can come out before more is fed."""
        return not self._data and not self._fed and self._violation is None

    @property
    def over(self) -> bool:
        """Whether a close came out or a violation was raised: nothing follows."""
        return self._over and self._violation is None

    def limit(self, max_message_bytes: int) -> None:
        """Let in messages of so many bytes from now on; before anything is taken."""
        self._max_bytes = max_message_bytes
        self._message.limit(max_message_bytes)

    def feed(self, data: bytes | bytearray) -> None:
        """Add what was read. Costs the same however much waits."""
        if self._over:
            return
        if type(data) is not bytes:
            data = bytes(data)
        if self._data:
            self._fed.append(data)
            self._fed_bytes += len(data)
        else:
            self._data = data

    def next(self) -> Item | None:
        """
        Return the next item; None when that takes more bytes.

        Raises:
            Violation: The peer must be closed with its code. Raised once.
        """
        items = self.next_many(1)
        return items[0] if items else None

    def next_many(self, most: int) -> list[Item]:
        """
        Return up to *most* items; fewer when more take more bytes, or much was decompressed.

        Raises:
            Violation: The peer must be closed with its code. Raised once, and by a call
                that has no item to return.
        """
        items: list[Item] = []
        if self._deflate:
            self.inflated = 0
        while len(items) < most:
            if not self._message.opcode:
                self._take_whole(items, most)
                if len(items) == most or not self._data:
                    break
            try:
                item = self._take_any()
            except Violation as violation:
                self._violation = violation
                self._end()
                break
            if item is None:
                break
            items.append(item)
            if self._deflate and isinstance(item, (str, bytes)):
                self.inflated += len(item)
                if self.inflated >= _INFLATE_BYTES:
                    break
        if self._violation is not None and not items:
            found, self._violation = self._violation, None
            raise found
        return items

    def _take_whole(self, items: list[Item], most: int) -> None:
        """Take whole messages of one frame below 64 KiB, as long as more are wanted."""
        data, at, most_bytes = self._data, self._at, self._max_bytes
        size = len(data)
        while at + 6 <= size:
            first, second = data[at], data[at + 1]
            if second < 254:
                start = at + 6
                end = start + second - 128
            else:
                start = at + 8
                end = start + (data[at + 2] << 8) + data[at + 3]
                if second == 255 or end < start + 126:
                    break
            if end > size or second < 128 or end - start > most_bytes:
                break
            if first == _WHOLE_TEXT:
                try:
                    items.append(apply_mask(data[start:end], data[start - 4 : start]).decode())
                except UnicodeDecodeError:
                    break  # _take_any() finds it, too, and raises
            elif first == _WHOLE_BINARY:
                items.append(apply_mask(data[start:end], data[start - 4 : start]))
            else:
                break
            at = end
            if len(items) == most:
                break
        self._at = at
        if at == size:
            if self._fed:
                self._refill()
            else:
                self._data, self._at = b"", 0

    def _take_any(self) -> Item | None:
        """Go on until an item is complete; None when that takes more bytes."""
        while self._at < len(self._data) or self._refill():
            if self._left:
                item = self._take_payload()
            else:
                head = parse_head(self._data, self._at, deflate=self._deflate)
                if head is None or (head.control and len(self._data) < head.start + head.length):
                    if self._refill():
                        continue
                    return None
                item = self._take_control(head) if head.control else self._take_data(head)
            if item is not None:
                return item
        return None

    def _take_control(self, head: Head) -> Item:
        self._at = head.start + head.length
        payload = apply_mask(self._data[head.start : self._at], head.mask)
        if head.opcode == CLOSE:
            close = parse_close(payload)
            self._end()
            return close
        return Ping(payload) if head.opcode == PING else Pong(payload)

    def _take_data(self, head: Head) -> Item | None:
        self._message.begin_frame(head)
        self._at = head.start
        self._left = head.length
        self._mask = head.mask
        self._final = head.final
        return self._take_payload()

    def _take_payload(self) -> Item | None:
        """Take what has come of the payload; return the message if that ends it."""
        piece = self._data[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        if piece:
            self._message.add(apply_mask(piece, self._mask))
        if self._left:
            turn = len(piece) & 3
            self._mask = self._mask[turn:] + self._mask[:turn]
            return None
        return self._message.end() if self._final else None

    def _refill(self) -> bool:
        """Drop what was taken and join what was read since; False if there was nothing."""
        if self._fed:
            self._data = b"".join((self._data[self._at :], *self._fed))
            self._fed.clear()
            self._fed_bytes = 0
            self._at = 0
            return True
        if self._at:
            self._data = self._data[self._at :]
            self._at = 0
        return False

    def _end(self) -> None:
        """Let nothing follow."""
        self._over = True
        self._data, self._at = b"", 0
        self._fed.clear()
        self._fed_bytes = 0
        self._left = 0
        self._message.drop()

    def __repr__(self) -> str:
        state = " over" if self._over else ""
        return f"<Decoder {self.buffered} bytes buffered{state}>"
