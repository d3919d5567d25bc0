# What a browser makes of an event stream (WHATWG HTML, "Interpretation"). Pure: bytes in, events
# out. Written from the standard, apart from our encoder, so that one can be held against the other.

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """
    One event of a stream, as a browser's script is given it.
    """

    data: str
    """Its lines with line feeds between them."""
    event: str = "message"
    """Its type."""
    id: str = ""
    """The last id so far, of this event or one before it."""


class EventDecoder:
    """Reads one stream, in whatever pieces it comes."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        """What the client would name when it comes back."""
        self.retry: int | None = None
        """Milliseconds after which it would come back, if it was told so."""
        self.comments: list[str] = []
        """The comments so far."""
        self._text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = False
        self._line = ""
        self._after_return = False  # a line feed that comes now belongs to the line end before
        self._data: list[str] = []
        self._event = ""
        self._id = last_event_id

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes; return the events that they complete."""
        text = self._text.decode(data)
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        events: list[StreamEvent] = []
        for char in text:
            if char == "\n" and self._after_return:
                self._after_return = False
                continue
            self._after_return = char == "\r"
            if char not in "\r\n":
                self._line += char
                continue
            line, self._line = self._line, ""
            if (event := self._take(line)) is not None:
                events.append(event)
        return events

    def _take(self, line: str) -> StreamEvent | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            self.comments.append(line[1:].removeprefix(" "))
            return None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)
        return None

    def _dispatch(self) -> StreamEvent | None:
        self.last_event_id = self._id
        data, self._data = self._data, []
        event, self._event = self._event, ""
        if not data:
            return None
        return StreamEvent("\n".join(data), event or "message", self._id)
