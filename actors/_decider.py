"""What follows an error, by its type: a class's ``supervise``. Pure: no trio tasks, no clock."""

# Akka's decider, whose four answers these are; Pekko's typed actors nest `supervise` calls
# for the same. The mapping's order is the order of asking, as theirs is: who wants the more
# particular type first writes it first. KeyboardInterrupt and its like are never asked
# about: they are no subclasses of Exception, and end the slot whatever a class says.

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import cast

import trio

from ._exits import leaves


class Directive(StrEnum):
    """What a class wants to follow an error of its handlers: the values of ``supervise``."""

    RESUME = "resume"
    """Drop the message and go on: the same object, its state as the handler left it."""
    RESTART = "restart"
    """A new incarnation, within the budget; what follows an error that is not listed."""
    STOP = "stop"
    """No restart: the slot ends as crashed, a connection closes with 1011."""
    ESCALATE = "escalate"
    """No restart: the slot ends, and its supervisor gives up."""


def directive_for(
    supervise: Mapping[type[Exception], str], error: BaseException
) -> Directive | None:
    """
    Return what *supervise* says of *error*: the first type that it is one of; else None.

    An exception group around a single error counts as that error as well, for whoever
    uses a nursery gets a group; a Cancelled beside it is no error.
    """
    if not supervise:
        return None
    inner = _only(error)
    for kind, directive in supervise.items():
        # By their types: a class may have made `__class__` into something that raises.
        if issubclass(type(error), kind) or (inner is not None and issubclass(type(inner), kind)):
            return Directive(str(directive))
    return None


def check_supervise(cls: type) -> None:
    """
    Refuse a ``supervise`` of *cls* that could not be kept.

    Raises:
        TypeError: It is no mapping, or a key of it no subclass of Exception.
        ValueError: A value of it is no directive.
    """
    supervise: object = getattr(cls, "supervise", {})
    if not isinstance(supervise, Mapping):
        raise TypeError(
            f"{cls.__qualname__}.supervise must map exception classes to directives, such as"
            f' {{ConnectionError: "restart"}}. Got: {supervise!r}'
        )
    known = tuple(map(str, Directive))
    for kind, directive in cast("Mapping[object, object]", supervise).items():
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise TypeError(
                f"{cls.__qualname__}.supervise is asked about subclasses of Exception; fatal"
                f" errors, such as KeyboardInterrupt, are never supervised. Got: {kind!r}"
            )
        if not isinstance(directive, str) or str(directive) not in known:
            choices = ", ".join(map(repr, known))
            raise ValueError(
                f"{cls.__qualname__}.supervise[{kind.__qualname__}] must be one of {choices}."
                f" Got: {directive!r}"
            )


def _only(error: BaseException) -> BaseException | None:
    """Return the one error inside the group *error*; None if it is no group, or of several."""
    if not issubclass(type(error), BaseExceptionGroup):
        return None
    found = [leaf for leaf in leaves(error) if not issubclass(type(leaf), trio.Cancelled)]
    return found[0] if len(found) == 1 else None
