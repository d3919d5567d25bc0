# Whether an ASGI application has a router inside, behind whatever middleware stands around it.
#
# A route that leads to a router is a prefix: the router takes the rest of the path. Who wraps a
# router need not say so: what an application holds on to is looked through, once, when the
# routes are made. An attribute, a closure's variable, a partial's argument, an entry of a list or
# a dict: that is where middleware keeps what it calls. One that imports its inner application
# only when it is called can't be seen through: it says `_path_routing = True` itself.

import functools
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

PATH_ROUTING = "_path_routing"
"""The attribute of routers, by the name that Channels gave it."""

_MOST = 500  # objects looked at for one route


CHECKS_ORIGIN = "_checks_origin"
"""The attribute of middleware that decides itself which pages may connect."""


def leads_to_router(application: object) -> bool:
    """Say whether *application* is a router by path, or has one inside. Not a checkpoint."""
    return _has_inside(application, PATH_ROUTING)


def checks_origin(application: object) -> bool:
    """Say whether *application*, or something inside, decides which pages may connect."""
    return _has_inside(application, CHECKS_ORIGIN)


OF_CHANNELS = (
    "{name} is a consumer of the package Channels, which needs asyncio and can't run on trio."
    " Import its base class from greenroom.bridges.channels, or call install_as_channels() before"
    " anything imports channels."
)


def refuse_of_channels(application: object) -> None:
    """
    Refuse *application* if it leads to a consumer of the package Channels. Not a checkpoint.

    Raises:
        TypeError: It does; the message says what to write.
    """
    for thing in _inside(application, routes=True):
        consumer = getattr(thing, "consumer_class", None)
        if isinstance(consumer, type) and _is_of_channels(consumer):
            raise TypeError(OF_CHANNELS.format(name=consumer.__qualname__))


def _is_of_channels(consumer: type) -> bool:
    of_channels = ("channels.consumer", "AsyncConsumer")
    return any((base.__module__, base.__name__) == of_channels for base in consumer.__mro__)


def _has_inside(application: object, mark: str) -> bool:
    return any(getattr(thing, mark, False) is True for thing in _inside(application))


def _inside(application: object, *, routes: bool = False) -> Iterator[object]:
    """Yield *application* and what it may call, and what that may call; with *routes*, all."""
    waiting: deque[object] = deque([application])
    seen: dict[int, object] = {}  # they stay alive, so that no id is given twice
    while waiting and len(seen) < _MOST:
        thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        yield thing
        waiting.extend(_held_by(thing))
        known: object = getattr(thing, "routes", None) if routes else None
        if isinstance(known, list | tuple):
            listed = cast("Iterable[object]", known)
            waiting.extend(getattr(route, "callback", None) for route in listed)


def _held_by(thing: object) -> Iterator[object]:
    """Yield what *thing* may call, as far as it shows."""
    if isinstance(thing, type | types.ModuleType):
        return  # a consumer's class: an end
    if isinstance(thing, functools.partial):
        partial = cast("functools.partial[Any]", thing)
        yield from (partial.func, *partial.args, *partial.keywords.values())
        return
    if isinstance(thing, types.MethodType):
        yield from (thing.__self__, thing.__func__)
        return
    if isinstance(thing, types.FunctionType):
        yield from _cells(thing)
    yield from _applications(_attributes(thing))


def _cells(function: types.FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            content: object = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield from _applications((content,))


def _attributes(thing: object) -> Iterable[object]:
    names = getattr(type(thing), "__slots__", ())
    slots = (names,) if isinstance(names, str) else cast("Iterable[str]", names)
    own = cast("dict[str, object]", getattr(thing, "__dict__", {}))
    return [*own.values(), *(getattr(thing, name, None) for name in slots)]


def _applications(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, Mapping):
            yield from filter(callable, cast("Mapping[object, object]", value).values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from filter(callable, cast("Iterable[object]", value))
        elif callable(value):
            yield value
