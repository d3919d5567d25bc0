"""What lies in a mailbox: items of the one FIFO, and of the control lane."""

# Slotted classes told apart by `type(item) is ...`: the actor's loop looks at
# one of these for each message, so there is no match on strings and no base
# class walk. Bodies are never copied into logs: `summary()` says type and size.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from ._reply import Answer

R_co = TypeVar("R_co", covariant=True)


class Request(Generic[R_co]):
    """
    Base of typed messages that are answered: ``class GetCount(Request[int])``.

    It has no fields and no behaviour; it tells type checkers what
    ``await ref.call(GetCount())`` returns.
    """

    __slots__ = ()


_MOST_OF_TYPE = 100
PART, LAST = "part of a body", "end of a body"


class InFrame:
    """
    A text or binary message from the peer. One of *text* and *bytes* is None.

    Or a part of a request's body, with *text* saying which: see :meth:`part`. It is no class of
    its own, for the loop and the mailbox would have to look for that at each message.

    ``size`` is in bytes, as it counts against the read-ahead. ``carried`` is what was current where
    it came from; set only in a tree that is traced, where that is not its connection.
    """

    __slots__ = ("bytes", "carried", "size", "text")

    carried: object

    @classmethod
    def part(cls, data: bytes, *, last: bool) -> InFrame:
        """Make a part of a request's body; *last* if nothing of it comes behind."""
        part = cls(None, data)
        part.text = LAST if last else PART
        return part

    @property
    def last(self) -> bool:
        """Of a part of a body: whether nothing of it comes behind."""
        return self.text is LAST

    def __init__(self, text: str | None, data: bytes | None) -> None:
        self.text = text
        self.bytes = data
        if text is None:
            self.size = len(data or b"")
        else:  # isascii() reads a flag, so the common case costs no encoding here
            self.size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))

    @property
    def message(self) -> dict[str, object]:
        """The event as ASGI words it."""
        return {"type": "websocket.receive", "text": self.text, "bytes": self.bytes}

    def summary(self) -> str:
        """Say what it is without its content."""
        if self.text is not None and self.bytes is not None:
            return f"{self.text}, {self.size} bytes"
        return f"{'text' if self.text is not None else 'binary'} frame of {self.size}"


class PeerEnd:
    """The peer's end of the connection, in order behind its frames."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    @property
    def message(self) -> dict[str, object]:
        """The event as ASGI words it."""
        return {"type": "websocket.disconnect", "code": self.code, "reason": self.reason}

    def summary(self) -> str:
        """Say what it is without its content."""
        return f"end of the connection, code {self.code}"


class Opening:
    """The request to open: what ``connect`` is given."""

    __slots__ = ()

    @property
    def message(self) -> dict[str, object]:
        """The event as ASGI words it."""
        return {"type": "websocket.connect"}

    def summary(self) -> str:
        """Say what it is without its content."""
        return "connect"


class RequestOpening(Opening):
    """The head of a request: what ``connect`` of a consumer for HTTP is given."""

    __slots__ = ("body", "last_event_id", "method", "missed", "path")

    def __init__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        last_event_id: str = "",
        *,
        missed: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.last_event_id = last_event_id
        self.missed = missed

    @property
    def message(self) -> dict[str, object]:
        """The request in short."""
        return {"type": "http.request", "method": self.method, "path": self.path}


OPENING = Opening()
"""The one that says no more than that, which all connections share."""


class Cast:
    """
    A message that nobody waits for.

    ``carried`` is what was current where it was sent; set only in a tree that is traced.
    """

    __slots__ = ("carried", "message")

    carried: object

    def __init__(self, message: object) -> None:
        self.message = message

    def summary(self) -> str:
        """Say what it is without its content."""
        return summary(self.message)


class Call:
    """
    A message with somebody who waits for its reply.

    ``caller`` is the path of the actor that does; empty for anybody else. ``chain`` are the
    paths of those whose handlers stand still for it, outermost first; ``reply`` is what its
    caller waits for, or what stands in for that (see _reply_later.py).
    ``carried`` is what was current where it was sent; set only in a tree that is traced.
    """

    __slots__ = ("caller", "carried", "chain", "message", "reply")

    carried: object

    def __init__(
        self, message: object, reply: Answer, caller: str = "", chain: tuple[str, ...] = ()
    ) -> None:
        self.message = message
        self.reply = reply
        self.caller = caller
        self.chain = chain

    def summary(self) -> str:
        """Say what it is without its content."""
        return f"call {summary(self.message)}"


class Source(Protocol):
    """What ticks: a timer, or a monitor. It belongs to one incarnation."""

    what: ClassVar[str]
    """What it is, in a word."""

    @property
    def owner(self) -> object:
        """The incarnation; None when it is over."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether its message is not wanted any more."""
        ...

    @property
    def message(self) -> object:
        """What its handler is given."""
        ...

    def taken(self) -> None:
        """Take note that its tick has left the mailbox. Any thread."""
        ...

    def put_aside(self) -> None:
        """Take note that its tick was put aside, and waits again. Any thread."""
        ...


class Tick:
    """A timer's message, or a monitor's; at most one of each source waits."""

    __slots__ = ("timer",)

    def __init__(self, timer: Source) -> None:
        self.timer = timer

    @property
    def message(self) -> object:
        """What its source has to deliver."""
        return self.timer.message

    def summary(self) -> str:
        """Say what it is without its content."""
        return f"{self.timer.what} {summary(self.timer.message)}"


class Stop:
    """
    Control: end the slot, or with *again* this incarnation alone.

    *code* is the close code for a connection; *own* says that the actor itself asks, *by_hand*
    that the next incarnation begins without being told to; ``at`` is when, on trio's clock, if
    it is not the actor that asks.
    """

    __slots__ = ("again", "at", "by_hand", "code", "own", "reason", "text")

    def __init__(
        self,
        reason: str,
        code: int,
        text: str = "",
        *,
        own: bool = False,
        again: bool = False,
        by_hand: bool = False,
    ) -> None:
        self.reason = reason
        self.code = code
        self.text = text
        self.own = own
        self.again = again
        self.by_hand = by_hand
        self.at: float | None = None


class Hook:
    """What the hooks of a restart are offered, by name."""

    __slots__ = ("reason", "state")

    def __init__(self, *, reason: BaseException | None = None, state: object = None) -> None:
        self.reason = reason
        self.state = state


Item = InFrame | PeerEnd | Cast | Call | Tick


def message_key(message: object) -> object:
    """
    Return what a handler is looked up by: the ``type`` of a dict, else the class.

    Never raises, whatever the message is: snapshots and crash records name it too.
    """
    try:
        if isinstance(message, Mapping):
            kind = cast("Mapping[str, object]", message).get("type")
            if isinstance(kind, str):
                return kind
        return cast("object", message).__class__
    except Exception:  # noqa: BLE001 - a mapping of the user's may do anything
        return type(cast("object", message))


def key_name(key: object) -> str:
    """Spell a handler's key as it stands in ``@handles(...)``."""
    return key.__qualname__ if isinstance(key, type) else repr(key)


def summary(message: object) -> str:
    """Name the type of *message*, never its content; cut, for whoever sends may have chosen it."""
    key = message_key(message)
    if isinstance(key, str) and len(key) > _MOST_OF_TYPE:
        return f"{key[:_MOST_OF_TYPE]!r}..."
    return key_name(key)
