# The client's end of one event stream.

from collections import deque
from typing import Any

from ._errors import NothingCame, StreamRefused
from ._event_decoder import EventDecoder, StreamEvent
from ._request import RequestDriver
from ._slot_side import Server


class EventStreamDriver(RequestDriver):
    """The client's end of one event stream; made by :meth:`ServerDriver.event_stream`."""

    def __init__(self, server: Server, scope: dict[str, Any], last_event_id: str) -> None:
        super().__init__(server, scope)
        self._decoder = EventDecoder(last_event_id)
        self._events: deque[StreamEvent] = deque()

    @property
    def last_event_id(self) -> str:
        """What a browser would name as its last event if it came back now."""
        return self._decoder.last_event_id

    @property
    def retry(self) -> int | None:
        """Milliseconds after which a browser would come back, as it was told; None if not."""
        return self._decoder.retry

    @property
    def comments(self) -> list[str]:
        """The comments that came, as far as events, or their absence, were waited for."""
        return self._decoder.comments

    async def opened(self, timeout: float = 5.0) -> None:
        """
        Wait until the stream is accepted. Always a checkpoint.

        Raises:
            StreamRefused: It was answered with another status or type.
            ResponseCut: It was not answered.
            NothingCame: Nothing came within *timeout* seconds.
        """
        __tracebackhide__ = True
        status = await self.begun(timeout)
        kind = dict(self.headers).get(b"content-type", b"").partition(b";")[0].strip()
        if status != 200 or kind != b"text/event-stream":
            body = await self.read(timeout)
            raise StreamRefused(status, body, self.headers) from self._server.journal.last_error

    async def next_event(self, timeout: float = 5.0) -> StreamEvent:
        """
        Return the next event. Always a checkpoint.

        Raises:
            StreamEnded: The application has ended the stream; a browser comes back.
            ResponseCut: It was cut off; a browser comes back, too.
            NothingCame: None came within *timeout* seconds.
        """
        __tracebackhide__ = True
        return await self._until(self._look_for_event, timeout, "an event")

    async def no_event(self, seconds: float = 0.1) -> None:
        """
        Wait *seconds*, in which no event may come; comments may. Always a checkpoint.

        Raises:
            AssertionError: One came; it is lost.
        """
        try:
            event = await self.next_event(seconds)
        except NothingCame:
            return
        raise AssertionError(f"an event came: {event!r}")

    def _look_for_event(self) -> StreamEvent | None:
        while not self._events:
            part = self._look_for_part()
            if part is None:
                return None
            self._events.extend(self._decoder.feed(part))
        return self._events.popleft()
