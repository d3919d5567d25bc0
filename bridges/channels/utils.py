"""Small helpers that Channels has, for code that imports them."""

from typing import Any

from ._sources import dispatch_all as await_many_dispatch

__all__ = ["await_many_dispatch", "name_that_thing"]


def name_that_thing(thing: Any) -> str:
    """Return the dotted name of *thing*: of a class, of a function, or of an instance's class."""
    owner = getattr(thing, "consumer_class", None)  # of what as_asgi() has made
    if isinstance(owner, type):
        thing = owner
    name: str | None = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if name is None:
        return name_that_thing(type(thing))
    # As Channels does: the name alone, without what a class or a function stands in.
    return f"{thing.__module__}.{getattr(thing, '__name__', name)}"
