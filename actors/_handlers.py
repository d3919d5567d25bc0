"""Which method handles which message: the table of one actor class."""

# Only declared handlers can be reached from outside: a message of type "send" or
# "close" finds nothing unless the class says @handles("send"). The table is
# built when the class is created, so that a wrong declaration fails at import.

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from ._messages import key_name, message_key
from ._runs import FRAMES, NOTHING, Key, check_runs, runs, runs_of
from ._signature import Handler, compile_message, compile_named

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__greenroom_handles__"


def handles(
    *keys: str | type,
    concurrent: int | None = None,
    per_key: Key | None = None,
    timeout: float | None = None,
    cancel_on_disconnect: bool | None = None,
) -> Callable[[F], F]:
    """
    Declare a method as the handler of messages.

    Args:
        keys: Each a string, for dicts with that ``type``, or a class, for its
            instances (a subclass's instance finds the nearest base's handler).
        concurrent: How many of it may run at a time, as :func:`concurrent` says.
        per_key: What keeps messages in order then, as it says, too.
        timeout: Seconds after which it is cancelled, as :func:`timeout` says.
        cancel_on_disconnect: Whether it is cancelled when the connection ends; None: as the
            class says.

    The method takes the message under any name. ``def`` runs in a worker thread,
    ``async def`` on trio. What it returns is the reply of ``ref.call``.

    Raises:
        TypeError: No key was given, or one is neither a string nor a class; or another argument
            has the wrong type.
        ValueError: It is out of range.
    """
    if not keys:
        raise TypeError('handles() needs at least one message type: @handles("chat.message")')
    for key in keys:
        if not isinstance(key, (str, type)):
            hint = ": write @handles(...) with the type" if callable(key) else ""
            raise TypeError(f"handles() takes strings and classes{hint}. Got: {key!r}")

    run_so = runs(
        concurrent_limit=concurrent, per_key=per_key, seconds=timeout, cancel=cancel_on_disconnect
    )

    def mark(function: F) -> F:
        setattr(function, _MARK, keys)
        return run_so(function)

    return mark


def _keys_of(value: object) -> tuple[object, ...]:
    # The mark may be behind a decorator that no handler may have: to be refused, not missed.
    if isinstance(value, (staticmethod, classmethod)):
        value = cast("staticmethod[..., object]", value).__func__
    elif isinstance(value, property):
        value = value.fget
    return cast("tuple[object, ...]", getattr(value, _MARK, ()))


class HandlerTable:
    """The compiled handlers of one class, special ones by name, others by message type."""

    def __init__(self, actor: type, special: Mapping[str, Mapping[str, str]]) -> None:
        self._owner = actor.__qualname__
        self.special: dict[str, Handler] = {
            name: compile_named(f"{self._owner}.{name}", self._function(actor, name), special[name])
            for name in special
            if getattr(actor, name, None) is not None
        }
        self._declared: dict[object, Handler] = {}
        self._missing: set[type] = set()
        self._catch_all = self._compiled_catch_all(actor)
        for key, name in self._declarations(actor).items():
            self._declared[key] = compile_message(
                f"{self._owner}.{name}", self._function(actor, name)
            )
        self._found = dict(self._declared)

    def mark(self, actor: type) -> None:
        """
        Have each handler run as *actor* says of it; once the table is complete.

        Raises:
            TypeError: It says of one what that can't do.
        """
        cancel = bool(getattr(actor, "cancel_on_disconnect", False))
        for name, handler in self.special.items():
            # What handles messages of JSON is made of a handler with another name.
            names = FRAMES if name in FRAMES else (name,)
            self._run_as(actor, names, handler, cancel=cancel, declared=False)
        for handler in self._declared.values():
            self._run_as(actor, (handler.name,), handler, cancel=cancel, declared=True)

    def _run_as(
        self,
        actor: type,
        names: Sequence[str],
        handler: Handler,
        *,
        cancel: bool,
        declared: bool,
    ) -> None:
        found = next(
            (said for each in names if (said := runs_of(actor, each)) is not NOTHING), NOTHING
        )
        check_runs(self._owner, handler, found, declared=declared)
        handler.run_as(found, cancel=cancel)

    @property
    def declared(self) -> tuple[str, ...]:
        """The declared message types as they are spelt in ``@handles``."""
        return tuple(key_name(key) for key in self._declared)

    def listed(self) -> list[tuple[str, Handler]]:
        """Return all handlers with what they are for: a name of their own, or a message's type."""
        declared = ((key_name(key), handler) for key, handler in self._declared.items())
        return [*self.special.items(), *declared]

    def find(self, message: object) -> Handler | None:
        """Return the handler of *message*, or None where none is declared."""
        key = message_key(message)
        handler = self._found.get(key)
        if handler is None and isinstance(key, type) and key not in self._missing:
            for base in key.__mro__[1:]:
                handler = self._declared.get(base)
                if handler is not None:
                    self._found[key] = handler
                    return handler
            self._missing.add(key)
        return handler or self._catch_all

    def _compiled_catch_all(self, actor: type) -> Handler | None:
        # An adapter's, for a class that finds its handlers itself: no user's class has one.
        name: str = getattr(actor, "catch_all", "")
        return (
            compile_message(f"{self._owner}.{name}", self._function(actor, name)) if name else None
        )

    def _declarations(self, actor: type) -> dict[object, str]:
        found: dict[object, str] = {}
        for cls in reversed(actor.__mro__):
            here: dict[object, str] = {}
            for name, value in vars(cls).items():
                for key in _keys_of(value):
                    if key in here:
                        raise TypeError(
                            f"{cls.__qualname__}: two handlers for {key_name(key)}:"
                            f" {here[key]} and {name}. Keep one."
                        )
                    here[key] = name
            found.update(here)
        return found

    def _function(self, actor: type, name: str) -> Callable[..., Any]:
        function = inspect.getattr_static(actor, name)
        if isinstance(function, (staticmethod, classmethod)) or not callable(function):
            raise TypeError(
                f"{self._owner}.{name} is the name of a handler, so it must be a method."
                f" Got: {function!r}"
            )
        return cast("Callable[..., Any]", function)
