# The close code of a peer, which hypercorn 0.18 reads and keeps to itself: its application is
# told 1006, whatever came.
#
# hypercorn gives what it reads to wsproto, and acts on the events that come out. The object that
# yields them is made when the application accepts, by what is found along the method that the
# application was given,
#
#   send -> WSStream -> handshake -> accept(),
#
# so that is told to hand over one whose `events` keep what a close frame said, and pass all on.
# Where the chain is another one (a `send` that somebody has wrapped, another server, another
# hypercorn) nothing is done, and the code is 1006 as before.

from collections.abc import Callable, Generator
from typing import Any

from ._internals import find

_WSStream: type = find("hypercorn.protocol.ws_stream", "WSStream")
_Handshake: type = find("hypercorn.protocol.ws_stream", "Handshake")
_Connection: type = find("wsproto.connection", "Connection")
_CloseConnection: type = find("wsproto.events", "CloseConnection")


class PeerClose:
    """What the close frame of one peer said, once it has come."""

    __slots__ = ("code", "reason")

    def __init__(self) -> None:
        self.code: int | None = None
        self.reason = ""

    def instead_of(self, code: int, reason: str) -> tuple[int, str]:
        """Return what came instead of 1006, which hypercorn says of every end; else *code*."""
        if code == 1006 and self.code is not None:
            return self.code, self.reason
        return code, reason

    def listen(self, send: Callable[..., object]) -> bool:
        """
        Look at what will come for the WebSocket of *send*, before it is accepted; whether one can.

        Loop thread only, not a checkpoint.
        """
        stream = getattr(send, "__self__", None)
        handshake: Any = getattr(stream, "handshake", None)
        if not isinstance(stream, _WSStream) or not isinstance(handshake, _Handshake):
            return False
        inner = handshake.accept

        def accept(*args: Any, **kwargs: Any) -> Any:
            made = inner(*args, **kwargs)
            for each in made:
                if isinstance(each, _Connection):
                    self._look_at(each)
            return made

        handshake.accept = accept
        return True

    def _look_at(self, connection: Any) -> None:
        inner = connection.events

        def events() -> Generator[Any, None, None]:
            for event in inner():
                if isinstance(event, _CloseConnection):
                    code: Any = getattr(event, "code", None)
                    self.code = int(code) if code is not None else 1005
                    self.reason = str(getattr(event, "reason", None) or "")
                yield event

        connection.events = events
