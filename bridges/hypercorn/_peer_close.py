# The close code of a peer, which hypercorn 0.18 reads and keeps to itself: its application is
# told 1006, whatever came.
#
# hypercorn gives what it reads to wsproto, and acts on the events that come out. The object that
# yields them is found along the method that the application was given,
#
#   send -> WSStream -> connection,
#
# once it has accepted. It gets an `events` of its own, which passes all on and keeps what a close
# frame said. Where the chain is another one (a `send` that somebody has wrapped, another server,
# another hypercorn) nothing is done, and the code is 1006 as before.

from collections.abc import Callable, Generator
from typing import Any

from ._internals import find

_WSStream: type = find("hypercorn.protocol.ws_stream", "WSStream")
_Connection: type = find("wsproto", "Connection")
_CloseConnection: type = find("wsproto.events", "CloseConnection")


class PeerClose:
    """What the close frame of one peer said, once it has come."""

    __slots__ = ("code", "reason")

    def __init__(self) -> None:
        self.code: int | None = None
        self.reason = ""

    def listen(self, send: Callable[..., object]) -> bool:
        """
        Look at what comes for the WebSocket of *send*, which was accepted; whether one can.

        Loop thread only, not a checkpoint.
        """
        stream = getattr(send, "__self__", None)
        connection: Any = getattr(stream, "connection", None)
        if not isinstance(stream, _WSStream) or not isinstance(connection, _Connection):
            return False
        inner = connection.events

        def events() -> Generator[Any, None, None]:
            for event in inner():
                if isinstance(event, _CloseConnection):
                    code: Any = getattr(event, "code", None)
                    self.code = int(code) if code is not None else 1005
                    self.reason = str(getattr(event, "reason", None) or "")
                yield event

        connection.events = events
        return True
