# Matching a path against Django's patterns, as Django's own resolver does, and further where a
# view is a router itself: its route is a prefix then, and the rest of the path is the router's.
#
# The route objects stay as they are, since they may stand in other lists as well: a prefix is
# matched by a pattern of our own.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast, runtime_checkable

from django.urls import URLPattern, URLResolver

from ..asgi._nesting import leads_to_router
from ..asgi._routing import Match, Router


@dataclass(frozen=True, slots=True)
class Way:
    """What was found of the path so far."""

    rest: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    route: str = ""

    def further(self, pattern: Any, extra: Mapping[str, Any]) -> "Way | None":
        """Return the way behind *pattern*, or None if it does not lead on."""
        found = pattern.match(self.rest)
        if not found:
            return None
        rest, args, named = found
        kwargs = {**self.kwargs, **named, **extra}
        # With names among them those without names count for nothing, as in urls.py.
        return Way(rest, () if kwargs else (*self.args, *args), kwargs, f"{self.route}{pattern}")


@runtime_checkable
class Walkable(Protocol):
    """A router whose ways can be gone from outside, without calling it."""

    @property
    def router(self) -> Router:
        """The router over its routes."""
        ...

    def ways(self, way: Way) -> Iterator[Match]:
        """Yield where *way* leads."""
        ...


def prefix_of(route: URLPattern, target: object) -> Any:
    """Return what *route* is matched by: a prefix if *target* is a router or has one inside."""
    if not (isinstance(target, Walkable) or leads_to_router(target)):
        return route.pattern
    pattern: Any = route.pattern
    route_or_expression = getattr(pattern, "_route", None)
    if route_or_expression is None:
        route_or_expression = pattern._regex  # noqa: SLF001
    return pattern.__class__(route_or_expression, pattern.name, is_endpoint=False)


def ways_of(
    routes: Sequence[Any], way: Way, find: Callable[[URLPattern], tuple[Any, Any, bool]]
) -> Iterator[Match]:
    """
    Yield where *way* leads by *routes*, the first route first.

    Args:
        routes: What ``path()``, ``re_path()`` and ``include()`` made.
        way: The path, and what was found of it before.
        find: Returns a route's target, what it is matched by, and whether the target decides
            which pages may connect.
    """
    for route in routes:
        if isinstance(route, URLResolver):
            extra = cast("Mapping[str, Any]", route.default_kwargs)
            further = way.further(route.pattern, extra)
            if further is not None:
                yield from ways_of(cast("Sequence[Any]", route.url_patterns), further, find)
            continue
        target, pattern, guarded = find(route)
        further = way.further(pattern, cast("Mapping[str, Any]", route.default_args))
        if further is None:
            continue
        if isinstance(target, Walkable):
            yield from target.ways(further)
            continue
        is_prefix = pattern is not route.pattern
        yield Match(
            application=target,
            kwargs=further.kwargs,
            args=further.args,
            name=route.name,
            route=further.route,
            rest=further.rest if is_prefix else None,
            checks_origin=guarded,
        )


def first_of(ways: Iterator[Match]) -> Match | None:
    """Return the first of *ways*, which has the others if it may turn out to lead nowhere."""
    first = next(ways, None)
    if first is None or first.rest is None:
        return first
    return replace(first, others=ways)
