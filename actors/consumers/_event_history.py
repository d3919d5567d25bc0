"""The last events of a stream, for clients that come back. Pure but for a lock."""

# Invariants, each with a test of that name in tests/properties/test_event_history.py:
#   BOUNDED    it holds no more events and bytes than it was made for.
#   NO HOLES   what `since` returns are all events behind the one that is named, or it says
#              that some are missed.
#   OWN IDS    an id of another history, or of the same one before the process was restarted,
#              is never taken for one of its own.

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass

from ._event_codec import encode_event
from ._request import UNSET, json_of


@dataclass(frozen=True, slots=True)
class Replay:
    """What a client that comes back is sent."""

    events: tuple[bytes, ...]
    """The events, encoded, in order."""
    missed: bool
    """Whether some between its last one and these are not there any more."""
    upto: int
    """The number of the last event so far."""


class EventHistory:
    """
    The last events of one stream, with an id each.

    Of this process: a client that comes back to another one, or after a restart, has missed
    something, and is told so. Every method from any thread; none is a checkpoint.

    Args:
        events: How many it holds.
        bytes: How many bytes they have together, at most.

    Raises:
        TypeError, ValueError: One is no whole number from 1 on.
    """

    def __init__(self, events: int = 100, bytes: int = 1048576) -> None:
        for name, value in (("events", events), ("bytes", bytes)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number. Got: {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1. Got: {value!r}")
        self._most, self._most_bytes = events, bytes
        self._own = secrets.token_hex(4)
        self._prefix = f"id: {self._own}-".encode()
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._last = 0
        self._lock = threading.Lock()

    def add(
        self, data: str | None = None, *, json: object = UNSET, event: str | None = None
    ) -> bytes:
        """
        Give an event the next id and keep it; return it encoded.

        What is returned goes to the members of a group: ``group_send("prices", bytes=...)``.

        Args:
            data: Its data.
            json: What is written as JSON in its place.
            event: Its type.

        Raises:
            TypeError, ValueError: As ``EventStreamConsumer.send`` does.
        """
        text = data if json is UNSET else json_of(json)
        if text is None or (json is not UNSET and data is not None):
            raise TypeError("an event of a history needs exactly one of data and json=...")
        with self._lock:
            encoded = encode_event(text, event=event, id=f"{self._own}-{self._last + 1}")
            self._last += 1
            self._events.append(encoded)
            self._bytes += len(encoded)
            while len(self._events) > self._most or self._bytes > self._most_bytes:
                self._bytes -= len(self._events.popleft())
        return encoded

    def since(self, last_event_id: str) -> Replay:
        """
        Return what a client has to be sent whose last event was *last_event_id*.

        An empty id is a client that begins anew: nothing. One that is not known: all there is.
        """
        with self._lock:
            if not last_event_id:
                return Replay((), missed=False, upto=self._last)
            first = self._last - len(self._events)  # the number before the first that is held
            number = self._number(last_event_id)
            if number is None or not first <= number <= self._last:
                return Replay(tuple(self._events), missed=True, upto=self._last)
            events = list(self._events)[number - first :]
            return Replay(tuple(events), missed=False, upto=self._last)

    def number_of(self, encoded: bytes) -> int | None:
        """Return the number of an event that :meth:`add` returned; None if it is none of these."""
        at = encoded.find(self._prefix)
        if at != 0 and not (at > 0 and encoded[at - 1 : at] == b"\n"):
            return None
        end = encoded.find(b"\n", at)
        return int(encoded[at + len(self._prefix) : end])

    def _number(self, event_id: str) -> int | None:
        own, _, number = event_id.partition("-")
        if own != self._own or not (number.isascii() and number.isdigit() and len(number) < 20):
            return None
        return int(number)

    def __repr__(self) -> str:
        return f"<EventHistory {len(self._events)} events, last {self._last}>"
