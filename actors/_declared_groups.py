"""The groups that a class declares: joined before `connect`, left when the slot ends."""

# A name may be a template of what the route has captured: "room.{room}". Only plain fields: a
# dot or a bracket in one would reach into objects.

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import TYPE_CHECKING, Any, cast

from ._denied import Denied

if TYPE_CHECKING:
    from ._life import Life


def check_groups(cls: type) -> None:
    """
    Refuse ``groups`` of *cls* that could not be joined.

    Raises:
        TypeError: It is no list or tuple of strings.
        ValueError: One of them is empty, or no template that can be filled in.
    """
    groups: object = getattr(cls, "groups", ())
    listed = cast("tuple[object, ...]", groups) if isinstance(groups, (list, tuple)) else (None,)
    if not all(isinstance(each, str) for each in listed):
        raise TypeError(
            f'{cls.__qualname__}.groups lists names of groups: write groups = ["lobby"].'
            f" Got: {groups!r}"
        )
    for group in cast("tuple[str, ...]", listed):
        try:
            fields = [field for _, field, _, _ in Formatter().parse(group) if field is not None]
        except ValueError:
            fields = [""]
        if not group or not all(field.isidentifier() for field in fields):
            raise ValueError(
                f"{cls.__qualname__}.groups has names, and templates of what the route captures,"
                f' such as "room.{{room}}". Got: {group!r}'
            )


def join_declared(life: Life) -> None:
    """
    Make the slot of *life* a member of the groups that its class declares.

    Raises:
        LookupError: A template needs what the route has not captured.
        Denied: A name that comes out is none: the client's doing, as the rule.
    """
    host = life.host
    captured: Mapping[str, Any] = {}
    if host.connection is not None:
        route = cast("Mapping[str, Any]", host.connection.scope.get("url_route", {}))
        captured = cast("Mapping[str, Any]", route.get("kwargs", {}))
    for group in life.actor.groups:
        try:
            name = group.format_map(captured)
        except KeyError as error:
            raise LookupError(
                f"{life.actor.__qualname__}.groups has {group!r}, and the route of {host.path}"
                f" captured no {error.args[0]!r}. It captured: {', '.join(captured) or 'nothing'}"
            ) from None
        try:
            host.groups.join(name, host)
        except ValueError as error:
            raise Denied(400, "There is no such group.\n", reason=str(error)) from error
