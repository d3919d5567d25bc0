# Which actions a place has, for whoever looks at it: links to their pages, where they are done. Pure
# but for the user's permissions.

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from ._actions import ACTIONS
from ._page import link
from ._view import may

_CONNECTIONS = "/connections"
_DOWN = frozenset({"stopped", "ended", "declined"})
_WAITS = frozenset({"parked", "backing off"})


def links_of(
    request: HttpRequest,
    site: AdminSite,
    process: str,
    row: Mapping[str, Any],
    connection: Mapping[str, Any],
) -> list[dict[str, str]]:
    """Return the actions that make sense for *row* and that the user may have done."""
    path, user = str(row.get("path", "")), connection.get("user")
    found: list[dict[str, str]] = []
    for name in names_of(row):
        found += _link(request, site, name, process=process, path=path)
    if user not in (None, ""):
        found += _link(request, site, "disconnect-user", user=str(user))
    return found


def names_of(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the actions that make sense for a place in its state."""
    path, kind, state = str(row.get("path", "")), row.get("kind"), str(row.get("state", ""))
    if path == "/":
        yield from ("drain", "trace")
        return
    if path == _CONNECTIONS or path.startswith(f"{_CONNECTIONS}/"):
        yield "disconnect" if kind == "slot" else "disconnect-path"
    elif state in _DOWN:
        yield "start"
        return
    else:
        yield from ("restart", "stop")
    if state in _WAITS:
        yield "wake"
    yield "resume" if state == "suspended" else "suspend"
    if kind == "slot":
        yield "reset-budget"
    yield "trace"


def _link(request: HttpRequest, site: AdminSite, name: str, **query: str) -> list[dict[str, str]]:
    action = ACTIONS.get(name)
    if action is None or not may(request, action.permission):
        return []
    return [{"title": action.title, "url": link(site, "greenroom_act", name, **query)}]
