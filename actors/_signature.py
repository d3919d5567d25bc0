"""Parameters matched by name, once, when a class is created."""

# `connect(message)`, `receive(text, bytes)`: a handler names what it wants and
# leaves out the rest. The match is made into a plain function of (self, item)
# here, so that a message costs no look at a signature.

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from operator import attrgetter
from typing import Any

from ._runs import FRAMES, NOTHING, Runs, key_function

Getter = Callable[[Any], Any]
Caller = Callable[[Any, Any], Any]


class Handler:
    """One compiled handler: ``call(instance, item)`` runs it or makes its coroutine."""

    __slots__ = ("call", "cancel", "concurrent", "is_async", "key", "name", "plain", "seconds")

    def __init__(self, name: str, call: Caller, *, is_async: bool) -> None:
        self.name = name
        self.call = call
        self.is_async = is_async
        self.run_as(NOTHING, cancel=False)

    def run_as(self, runs: Runs, *, cancel: bool) -> None:
        """Take note of how it is run; *cancel*: if it says nothing of the connection's end."""
        self.concurrent = runs.concurrent
        self.seconds = runs.timeout
        said = runs.cancel_on_disconnect
        self.cancel = cancel if said is None else said
        self.key: Callable[[Any], Hashable] | None = None
        """What finds an item's key, if those of one key are handled in order."""
        if runs.per_key is not None:
            self.key = key_function(runs.per_key, frames=self.name in FRAMES)
        self.plain = self.is_async and self.simple
        """Whether it is simply awaited, as nearly all are."""

    @property
    def simple(self) -> bool:
        """Whether it says nothing of how it is run."""
        return not self.concurrent and self.seconds is None and not self.cancel

    def run_like(self, other: Handler) -> Handler:
        """Be run as *other* is, which this one stands for; return it."""
        self.concurrent, self.seconds, self.key = other.concurrent, other.seconds, other.key
        self.cancel, self.plain = other.cancel, self.is_async and other.simple
        return self

    def __repr__(self) -> str:
        return f"<Handler {'async ' if self.is_async else ''}def {self.name}>"


def compile_named(owner: str, function: Callable[..., Any], offered: Mapping[str, str]) -> Handler:
    """
    Match *function*'s parameters with *offered* (name -> attribute of the item).

    *owner* is the class and the attribute, as in ``Chat.receive``.

    Raises:
        TypeError: A required parameter has a name that is not offered.
    """
    _refuse_generators(owner, function)
    positional: list[Getter] = []
    named: dict[str, Getter] = {}
    for parameter in _parameters(owner, function):
        attribute = offered.get(parameter.name)
        if attribute is None:
            if parameter.default is parameter.empty:
                raise TypeError(
                    f"{owner}: unknown parameter {parameter.name!r}. A handler takes, by name,"
                    f" any of: {', '.join(offered) or 'nothing'}. Got: {_spell(function)}"
                )
            if parameter.kind is not parameter.KEYWORD_ONLY:
                # Later positional ones must not slide into this place.
                default = parameter.default
                positional.append(lambda _item, default=default: default)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = attrgetter(attribute)
        else:
            positional.append(attrgetter(attribute))
    name = owner.rpartition(".")[2]
    return Handler(name, _caller(name, positional, named), is_async=_is_async(function))


def compile_message(owner: str, function: Callable[..., Any]) -> Handler:
    """
    Compile an ``@handles`` handler: it takes the message under any name, or nothing.

    Raises:
        TypeError: It requires more than one parameter.
    """
    _refuse_generators(owner, function)
    parameters = list(_parameters(owner, function))
    required = [p for p in parameters if p.default is p.empty]
    if len(required) > 1 or any(p.kind is p.KEYWORD_ONLY for p in required):
        raise TypeError(
            f"{owner}: a handler declared with @handles takes one parameter, the message."
            f" Got: {_spell(function)}"
        )
    takes_it = any(p.kind is not p.KEYWORD_ONLY for p in parameters)
    getters = [attrgetter("message")] if takes_it else []
    name = owner.rpartition(".")[2]
    return Handler(name, _caller(name, getters, {}), is_async=_is_async(function))


def _caller(name: str, positional: list[Getter], named: dict[str, Getter]) -> Caller:
    # By the attribute's name, so that overriding works; the function's own may differ.
    if named:
        return lambda self, item: getattr(self, name)(
            *[get(item) for get in positional],
            **{key: get(item) for key, get in named.items()},
        )
    if not positional:
        return lambda self, _item: getattr(self, name)()
    if len(positional) == 1:
        (first,) = positional
        return lambda self, item: getattr(self, name)(first(item))
    if len(positional) == 2:
        one, two = positional
        return lambda self, item: getattr(self, name)(one(item), two(item))
    return lambda self, item: getattr(self, name)(*[get(item) for get in positional])


def _parameters(owner: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise TypeError(f"{owner}: a handler is a method and takes self. Got: {_spell(function)}")
    return [
        p for p in parameters[1:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # *args and **kwargs accept what is offered and ask for nothing


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(
        function
    )


def _refuse_generators(owner: str, function: Callable[..., Any]) -> None:
    plain = inspect.unwrap(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(f"{owner}: a handler returns, it does not yield. Got: {_spell(function)}")


def _spell(function: Callable[..., Any]) -> str:
    is_async = _is_async(function) or inspect.isasyncgenfunction(inspect.unwrap(function))
    word = "async def" if is_async else "def"
    return f"{word} {function.__name__}{inspect.signature(function)}"
