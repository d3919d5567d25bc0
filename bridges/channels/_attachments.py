# Channels of consumers that live in this process under supervision: what is sent to one goes
# straight to its slot's mailbox, and no queue lies in between.
#
# The seam between layers and consumers: each layer of ours has attach() and detach(), both
# synchronous, for any thread, and done at once.

import copy
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("greenroom.channels.layers")

Message = dict[str, Any]
Deliver = Callable[[Message], object]

LAYER_DOWN = "layer.down"
LAYER_UP = "layer.up"
_MOST_FULL = 10_000
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """What a layer has done in this process so far."""

    attached: int
    """Consumers whose mailboxes it delivers into."""
    delivered: int
    """Messages that mailboxes took."""
    dropped: int
    """Messages for which a mailbox or a channel had no room, and that nobody was told of by an
    exception."""
    gaps: int = 0
    """Times after which messages may have been missed: the connection had been lost."""


class Attachments:
    """
    Who is attached, and to what.

    Args:
        lock: The layer's own.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._deliver: dict[str, Deliver] = {}
        self._watching: dict[str, dict[str, Deliver]] = {LAYER_DOWN: {}, LAYER_UP: {}}
        self._full: set[str] = set()
        self.delivered = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._deliver)

    def __contains__(self, channel: object) -> bool:
        return channel in self._deliver

    def channels(self) -> list[str]:
        """Return the channels that are attached."""
        with self._lock:
            return list(self._deliver)

    def add(self, channel: str, deliver: Deliver, events: Collection[str]) -> None:
        """Deliver what is for *channel* to *deliver*; see the layer's `attach`."""
        unknown = [each for each in events if each not in self._watching]
        if unknown:
            raise ValueError(
                f"attach() knows the events {LAYER_DOWN!r} and {LAYER_UP!r}. Got: {unknown!r}"
            )
        with self._lock:
            if channel in self._deliver:
                raise ValueError(f"{channel!r} is attached already; detach() it first.")
            self._deliver[channel] = deliver
            for each in events:
                self._watching[each][channel] = deliver

    def remove(self, channel: str) -> bool:
        """Deliver no more to *channel*. Returns whether it was attached."""
        with self._lock:
            for each in self._watching.values():
                each.pop(channel, None)
            self._full.discard(channel)
            return self._deliver.pop(channel, None) is not None

    def put(self, channel: str, message: Message) -> bool | None:
        """
        Deliver *message*, which must be the consumer's own; not under the layer's lock.

        Returns whether its mailbox took it; None if the channel is not attached.
        """
        deliver = self._deliver.get(channel)
        if deliver is None:
            return None
        if not _delivered(channel, deliver, message):
            return False
        with self._lock:
            self.delivered += 1
        return True

    def tell(self, event: str, **facts: object) -> None:
        """Deliver *event* to all who want to know of it; what does not fit is counted."""
        for channel, deliver in list(self._watching[event].items()):
            if not _delivered(channel, deliver, {"type": event, **facts}):
                self.drop(channel, event)

    def drop(self, channel: str, what: str, count: int = 1) -> None:
        """Count messages that found no room on *channel*, and say so once until there is."""
        with self._lock:
            self.dropped += count
            known = channel in self._full
            if len(self._full) >= _MOST_FULL:  # of channels that are gone, mostly
                self._full.clear()
            self._full.add(channel)
        if not known:
            logger.warning(
                "%s is full: a message of %s was dropped, and so are more until it has room again;"
                " all are counted",
                channel,
                what,
            )

    def has_room(self, channels: Iterable[str]) -> None:
        """Note that *channels* took a message: the next drop is worth a word again."""
        if self._full:
            with self._lock:
                self._full.difference_update(channels)


def _delivered(channel: str, deliver: Deliver, message: Message) -> bool:
    """Call *deliver*, in a thread that serves others, too: what it raises must not end that."""
    try:
        return deliver(message) is not False
    except Exception:
        logger.exception("delivering a message to %s has failed", channel)
        return False


def events_of(consumer: object) -> list[str]:
    """Return which of a layer's own events *consumer* has methods for."""
    events = (LAYER_DOWN, LAYER_UP)
    return [each for each in events if hasattr(consumer, each.replace(".", "_"))]


def copied(message: Message) -> Message:
    """Return a copy of *message* that its receiver may change."""
    if _PLAIN.issuperset(map(type, message.values())):
        return dict(message)
    return copy.deepcopy(message)
