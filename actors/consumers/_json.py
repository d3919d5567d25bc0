"""The consumer of one WebSocket that speaks JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar

from .._actor import connection_of
from .._awaitables import DONE, room_of
from .._handlers import HandlerTable
from .._lowlevel import clock_here
from ._invalid import BINARY, InvalidContent, InvalidRate
from ._json_codec import decode_any, encode
from ._json_handlers import CONTENT, INVALID, Reader, receive_handler
from ._websocket import WebsocketConsumer, check_close

if TYPE_CHECKING:
    from .._life import Life
    from .._messages import InFrame


_SPECIAL = {
    **{name: offered for name, offered in WebsocketConsumer._special.items() if name != "receive"},  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    "receive_json": CONTENT,
    "on_invalid": INVALID,
}


def check_json(cls: type[JsonWebsocketConsumer]) -> None:
    """
    Refuse what a JSON consumer's class says of itself and can't be kept.

    Raises:
        TypeError, ValueError: One of its settings or methods is wrong; the message says which.
    """
    name = cls.__qualname__
    if getattr(cls, "receive", None) is not None:
        raise TypeError(
            f"{name} defines receive, which decodes the JSON in this family: define"
            " receive_json(content), or derive it from WebsocketConsumer."
        )
    for method in ("encode_json", "decode_json"):
        function = inspect.getattr_static(cls, method)
        if not isinstance(function, classmethod):
            raise TypeError(f"{name}.{method} must be a classmethod. Got: {function!r}")
        if inspect.iscoroutinefunction(inspect.unwrap(function.__func__)):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            raise TypeError(
                f"{name}.{method} is called at once, nothing awaits it: write def {method}(...)."
            )
    _check_numbers(cls)


def _check_numbers(cls: type[JsonWebsocketConsumer]) -> None:
    name = cls.__qualname__
    by: object = cls.dispatch_by
    if not isinstance(by, str) or not by:
        raise TypeError(f"{name}.dispatch_by must be a key of the content. Got: {by!r}")
    for setting, least, none in (("json_depth", 1, False), ("invalid_per_minute", 0, True)):
        value: object = getattr(cls, setting)
        if none and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name}.{setting} must be a whole number. Got: {value!r}")
        if value < least:
            raise ValueError(f"{name}.{setting} must be at least {least}. Got: {value!r}")
    code = cls.invalid_close_code
    if code is not None:
        check_close(code, "")


class JsonWebsocketConsumer(WebsocketConsumer, runtime=True):
    """
    One WebSocket whose messages are JSON, as an actor.

    In place of ``receive`` it has, each ``def`` or ``async def``:

    ``receive_json(content)``
        For each message, decoded. If ``content`` is annotated with a `msgspec.Struct`, a union
        of tagged ones, or another type that msgspec knows, it is validated and made into that.
    ``@receives("move")``
        Handlers of their own for contents with ``"type": "move"``; what none is declared for goes
        to ``receive_json``, if there is one.
    ``on_invalid(error, text, bytes)``
        For what is no JSON, or has another shape: an :class:`InvalidContent`, and the message as
        it came. Without it the peer gets ``{"type": "error", "error": ..., "detail": ...,
        "field": ...}``. The socket stays open; one more than ``invalid_per_minute`` closes it, and
        is not told.
    """

    _special: ClassVar[dict[str, dict[str, str]]] = _SPECIAL

    dispatch_by: ClassVar[str] = "type"
    """The key of the content whose value picks the ``@receives`` handler."""
    json_depth: ClassVar[int] = 64
    """How deep lists and objects of a peer's message may be nested."""
    invalid_per_minute: ClassVar[int | None] = 30
    """Messages in a minute that may be invalid; one more closes the socket. None: any number."""
    invalid_close_code: ClassVar[int | None] = None
    """The close code then; None: 1003 for a binary message, 1007 for others."""

    def send_json(self, content: object) -> Awaitable[None]:
        """
        Send *content* as JSON in a text message, as :meth:`WebsocketConsumer.send` does.

        Raises:
            TypeError: It holds something that JSON has no form for. Nothing was sent.
            Disconnected, RuntimeError, Stale: As ``send`` does.
        """
        text = self.encode_json(content)
        # As `send` does, not by it: debug mode names the line that calls, so many calls below.
        life = self._bound()
        life.check()
        host, connection = life.host, connection_of(self)
        if connection.send_text(text):
            return self._answer(room_of(connection, here=host.loop.is_here()))
        return self._answer(DONE) if host.debug else DONE

    def group_send_json(self, group: str, content: object) -> Awaitable[None]:
        """
        Send *content* as JSON to the sockets of *group*: encoded once, whoever its members are.

        As ``group_send`` does with ``text``; no member's code runs.

        Raises:
            TypeError: It holds something that JSON has no form for. Nobody has got anything.
            Stale: This incarnation is over.
        """
        return self._group_send(group, None, self.encode_json(content), None, None)

    def group_send_json_others(self, group: str, content: object) -> Awaitable[None]:
        """Do what :meth:`group_send_json` does, to every member but this one."""
        host = self._bound().host
        return self._group_send(group, None, self.encode_json(content), None, host)

    @classmethod
    def encode_json(cls, content: object, /) -> str:
        """
        Return *content* as JSON; any thread, no checkpoint.

        Dates and times become ISO 8601, Decimal and UUID strings, lazy strings of Django's
        strings in the language that is active now. Override it for another encoding.

        Raises:
            TypeError: It holds something that JSON has no form for.
        """
        return encode(content)

    @classmethod
    def decode_json(cls, text: str, /) -> Any:
        """
        Return the content of a message; any thread, no checkpoint.

        Override it for another encoding. A ValueError of it makes the message an invalid one.
        Content that is to be validated as a type is converted behind it.
        """
        return decode_any(text)

    @classmethod
    @functools.cache
    def handler_table(cls) -> HandlerTable:
        """Return the compiled handlers of this class."""
        check_json(cls)
        table = HandlerTable(cls, cls._special)
        own = cls.decode_json.__func__.__module__ != __name__
        reader = Reader(cls, own_decoder=own)
        if reader.handlers and (reader.ways or reader.default):
            table.special["receive"] = receive_handler(reader)
        return table

    # -- for the runtime ------------------------------------------------------------------------

    def attach_life(self, life: Life) -> None:
        """Bind a new instance to its incarnation; the runtime's business."""
        super().attach_life(life)
        # A restart without restarted() or snapshot() is given the one of before.
        self._invalid_rate = InvalidRate()
        self._invalid_clock = clock_here()

    def _answer_invalid(self, error: InvalidContent) -> Awaitable[None]:
        """Send the default answer to an invalid message, as `send_json` does."""
        return self.send_json({self.dispatch_by: "error", **error.facts()})

    def _refuse_content(self, error: InvalidContent, frame: InFrame) -> bool:
        """Count an invalid message; close and say True if it is one too many. Any thread."""
        host = self._bound().host
        host.note("input.invalid", what=error.kind, field=error.field, size=frame.size)
        most = self.invalid_per_minute
        if not self._invalid_rate.exceeded(self._invalid_clock(), most):
            return False
        code = self.invalid_close_code or (1003 if error.kind == BINARY else 1007)
        self.close(code, f"too many invalid messages, the last: {error.kind}")
        return True
