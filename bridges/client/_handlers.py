# The handler table of a client: its hooks, matched by name like a consumer's, and its
# declared handlers, none of which ends the actor by sending without a connection.
#
# For a consumer a `Disconnected` that escapes a handler is the end: its socket will not
# come back. For a client it says that one message came at a bad moment: the connection is
# being made, or its end is on the way. So that message is a dead letter, and no more.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...actors import GreenroomError
from ...actors._exits import Verdict, judge
from ...actors._handlers import HandlerTable
from ...actors._runs import runs_of
from ...actors._signature import Handler, compile_named
from ._session import Connected, Lost, Received

_HOOKS: dict[str, dict[str, str]] = {
    "connected": {"subprotocol": "subprotocol"},
    "receive": {
        "text": "text",
        "bytes": "bytes",
        "text_data": "text",
        "bytes_data": "bytes",
        "message": "message",
    },
    "disconnected": {
        "code": "code",
        "close_code": "code",
        "reason": "reason",
        "message": "message",
    },
}

_Step = Callable[[Any, Any], object]  # of the instance and the item
_Unsent = Callable[[Any, Any, Exception], object]


class ClientTable(HandlerTable):
    """
    The compiled handlers of one client class.

    Args:
        actor: The class.
        special: The hooks that every actor has.
        dial: Called when an incarnation has started.
        unheard: Called with a frame for a class without `receive`.
        unsent: Called when a handler let `Disconnected` escape.
    """

    def __init__(
        self,
        actor: type,
        special: Mapping[str, Mapping[str, str]],
        *,
        dial: Callable[[Any], object],
        unheard: _Step,
        unsent: _Unsent,
    ) -> None:
        super().__init__(actor, special)
        self._unsent = unsent
        self._guards: dict[Handler, Handler] = {}
        started = self.special.get("started")
        self.special["started"] = _around(
            started and _catching(started, _too_early), after=lambda me, _item: dial(me)
        )
        hooks = {
            name: _catching(self._hook(actor, name, offered), unsent)
            for name, offered in _HOOKS.items()
            if getattr(actor, name, None) is not None
        }
        receive = hooks.get("receive") or Handler("receive", unheard, is_async=False)
        self._own: dict[type, Handler] = {
            Connected: _around(hooks.get("connected"), subject=_message),
            Received: _around(receive, before=_begun, subject=_frame),
            Lost: _around(hooks.get("disconnected"), subject=_message, after=_crash),
        }
        self._never_up = _around(None, after=_crash)

    def _hook(self, actor: type, name: str, offered: Mapping[str, str]) -> Handler:
        owner = actor.__qualname__
        handler = compile_named(f"{owner}.{name}", self._function(actor, name), offered)
        found = runs_of(actor, name)
        if found.concurrent:
            raise TypeError(
                f"{owner}.{name} of a client runs alone: @concurrent is for handlers declared with"
                " @handles."
            )
        handler.run_as(found, cancel=False)
        return handler

    def find(self, message: object) -> Handler | None:
        """Return the handler of *message*, or None where none is declared."""
        if type(message) is Lost and not message.was_up:
            return self._never_up
        own = self._own.get(type(message))
        if own is not None:
            return own
        handler = super().find(message)
        if handler is None:
            return None
        guard = self._guards.get(handler)
        if guard is None:
            guard = self._guards[handler] = _catching(handler, self._unsent)
        return guard


def _message(item: Any) -> Any:
    return item.message


def _frame(item: Any) -> Any:
    return item.message.frame


def _begun(_me: Any, item: Any) -> None:
    item.message.session.begun(item.message)


def _crash(_me: Any, item: Any) -> None:
    raise item.message.error


def _too_early(me: Any, _item: Any, error: Exception) -> None:
    raise GreenroomError(
        f"{type(me).__qualname__}.started() sends before there is a connection. Send in"
        " connected(), which runs each time there is a new one."
    ) from error


def _nothing(_me: Any, _item: Any) -> None:
    """Do nothing."""


def _around(
    inner: Handler | None,
    *,
    subject: Callable[[Any], Any] = lambda item: item,
    before: _Step = _nothing,
    after: _Step = _nothing,
) -> Handler:
    """Make a handler that gives *inner*, if there is one, the subject of an item."""
    if inner is not None and not inner.is_async:

        def call(me: Any, item: Any) -> Any:
            before(me, item)
            value = inner.call(me, subject(item))
            after(me, item)
            return value

        return Handler(inner.name, call, is_async=False).run_like(inner)

    async def call_async(me: Any, item: Any) -> Any:
        before(me, item)
        value = None if inner is None else await inner.call(me, subject(item))
        after(me, item)
        return value

    made = Handler(inner.name if inner else "client", call_async, is_async=True)
    return made if inner is None else made.run_like(inner)


def _catching(inner: Handler, unsent: _Unsent) -> Handler:
    """Make a handler that tells *unsent* where *inner* lets `Disconnected` escape."""
    if not inner.is_async:

        def call(me: Any, item: Any) -> Any:
            try:
                return inner.call(me, item)
            except Exception as error:
                if judge(error) is not Verdict.DISCONNECTED:
                    raise
                return unsent(me, item, error)

        return Handler(inner.name, call, is_async=False).run_like(inner)

    async def call_async(me: Any, item: Any) -> Any:
        try:
            return await inner.call(me, item)
        except Exception as error:
            if judge(error) is not Verdict.DISCONNECTED:
                raise
            return unsent(me, item, error)

    return Handler(inner.name, call_async, is_async=True).run_like(inner)
