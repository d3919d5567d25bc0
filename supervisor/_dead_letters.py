# Messages that reached nobody: kept as summaries, counted, and told as events.
#
# Never a body. A dead letter is seen by operators, in logs and on the admin page,
# who may have no right to read what users write to each other; and a ring of bodies
# would be a leak with a bound. What remains is the type, the names of the fields and
# the size, which is what finding the missing @handles takes.
#
# Counters are bounded too: a message's type may be chosen by a peer, so that past
# 1000 different ones the rest are counted as "other".
#
# Logging, with its pause in a flood, is in _log.py with all other logging.

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from threading import RLock
from typing import NamedTuple, cast

from ..actors._context import current_life
from ._current import HERE
from ._events import EventStream

_DISTINCT = 1000
_OTHER = "other"


ENDED = "the actor has ended"
"""How the reason begins where the target is gone."""
CRASHED = "crashed"
"""How the end is told, within that reason, of a target that did not go in peace."""


class DeadLetterKey(NamedTuple):
    """
    What dead letters are counted by.
    """

    reason: str
    """Why it reached nobody."""
    target: str
    """Whose it was: a resident's path, or for a connection that of its kind."""
    message_type: str
    """The message's type."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """
    A message that reached nobody.
    """

    target_path: str
    """Where it was to go."""
    epoch: int
    """The incarnation it was meant for; 0 for any."""
    at: float
    """When it was given up, in unix seconds."""
    reason: str
    """Why."""
    message_type: str
    """What it called itself."""
    summary: str
    """Its shape and size, never its content."""
    sender: str = ""
    """The path of the actor, or the request, whose code sent it; "" if that is not known."""
    number: int = 0
    """Which of all dead letters of its process it is, in their order."""

    def as_dict(self) -> dict[str, object]:
        """
        Return the letter as data that `json.dumps` takes.
        """
        return {
            "target_path": self.target_path,
            "epoch": self.epoch,
            "at": self.at,
            "reason": self.reason,
            "message_type": self.message_type,
            "summary": self.summary,
            "sender": self.sender,
            "number": self.number,
        }


class DeadLetters:
    """
    The latest messages that reached nobody, and how many there were of each sort.

    All methods may be called from any thread; none is a checkpoint.

    Args:
        events: Where each one is told as `message.dead_letter`.
        capacity: How many are remembered.
    """

    def __init__(self, events: EventStream, capacity: int = 100) -> None:
        self._events = events
        self._ring: deque[DeadLetter] = deque(maxlen=capacity)
        self._counts: Counter[DeadLetterKey] = Counter()
        self._last = 0
        # Told to by __del__ methods too, so it may be entered twice by one thread.
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<DeadLetters {self._counts.total()} so far>"

    def add(
        self, target_path: str, message: object, reason: str, epoch: int = 0, sender: str = ""
    ) -> None:
        """
        Record that *message* did not reach *target_path*. Never raises.

        Args:
            target_path: Where it was to go.
            message: The message; only a summary of it is kept.
            reason: Why, as a short phrase that does not vary with the message.
            epoch: The incarnation it was meant for.
            sender: Who has sent it; whose code runs here, if nobody says.
        """
        try:
            kind, summary = message_type(message), summarize(message)
        except Exception:  # noqa: BLE001 - a dict of the user's may do anything
            kind = type(message).__name__
            summary = f"{kind} (it cannot be shown)"
        sender = sender or _running(but=target_path)
        key = DeadLetterKey(reason, _family(target_path), kind)
        with self._lock:
            if key not in self._counts and len(self._counts) >= _DISTINCT:
                key = DeadLetterKey(_OTHER, _OTHER, _OTHER)
            self._counts[key] += 1
            self._last += 1
            letter = DeadLetter(
                target_path, epoch, time.time(), reason, kind, summary, sender, self._last
            )
            self._ring.append(letter)
        self._events.emit(
            "message.dead_letter",
            target_path,
            epoch,
            reason=reason,
            message_type=kind,
            summary=summary,
        )

    @property
    def last(self) -> int:
        """
        The number of the latest; 0 if there was none.
        """
        return self._last

    def recent(self, n: int = 100) -> list[DeadLetter]:
        """
        Return the latest *n* that are remembered, oldest first.
        """
        with self._lock:
            letters = list(self._ring)
        return letters[-n:] if n > 0 else []

    def counts(self) -> dict[DeadLetterKey, int]:
        """
        Return how many there were of each reason, target and message type.
        """
        with self._lock:
            return dict(self._counts)


def _running(*, but: str) -> str:
    """Return the path of whose code runs here, unless it is that of *but*; "" if none is known."""
    life = current_life.get()
    request = HERE.get() if life is None else None
    path = life.host.path if life is not None else request.path if request is not None else ""
    # Its own loop gives up what others have sent to it.
    return "" if path == but else path


def _family(path: str) -> str:
    parent, _, last = path.rpartition("/")
    return parent if last.isdigit() and parent else path


def message_type(message: object) -> str:
    """
    Return what *message* calls itself: a dict's "type", else the name of its class.

    Never raises, whatever the message is.
    """
    if _is_a(message, dict):
        kind = cast("dict[object, object]", message).get("type")
        if isinstance(kind, str):
            return kind[:100]
    return type(message).__name__


def summarize(message: object) -> str:
    """
    Describe *message* in one line by its shape and size, without its content.

    Never raises, whatever the message is.
    """
    name, size, fields = message_type(message), _size(message), _fields_of(message)
    shown = [
        f"{_label(key)}: {_shape(value)}"
        for key, value in islice(fields.items(), 10)
        if key != "type"
    ]
    if len(fields) > 10:
        shown.append(f"{len(fields) - 10} more")
    if shown:
        return f"{name} ({', '.join(shown)})"
    return f"{name} of {size}" if size and not _is_a(message, dict) else name


def _is_a(value: object, *kinds: type) -> bool:
    # Not isinstance(): that asks the object's own __class__, which may raise.
    return issubclass(type(value), kinds)


def _fields_of(message: object) -> Mapping[object, object]:
    """
    Read the fields of a dict, a msgspec Struct or a dataclass.
    """
    if _is_a(message, dict):
        return cast("dict[object, object]", message)
    kind = type(message)
    names: Iterable[str] = getattr(kind, "__struct_fields__", None) or getattr(
        kind, "__dataclass_fields__", ()
    )
    try:
        return {name: getattr(message, name, None) for name in names}
    except Exception:  # noqa: BLE001 - a property of the user's may raise anything
        return {}


def _label(key: object) -> str:
    return cast("str", key)[:40] if _is_a(key, str) else f"a {type(key).__name__}"


def _shape(value: object) -> str:
    size = _size(value)
    return f"{type(value).__name__} of {size}" if size else type(value).__name__


def _size(value: object) -> str:
    if _is_a(value, str):
        return f"{len(cast('str', value))} characters"
    if _is_a(value, bytes, bytearray, memoryview):
        return f"{memoryview(cast('bytes', value)).nbytes} bytes"
    if _is_a(value, dict, list, tuple, set, frozenset):
        return f"{len(cast('Collection[object]', value))} items"
    return ""
