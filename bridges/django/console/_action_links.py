# Which actions a page offers for a place, or for a user, to whoever looks at it: links to the pages
# on which they are confirmed.

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from ._actions import ACTIONS, Action, actions_for
from ._page import link
from ._view import APP, may

Links = list[dict[str, str]]


def links_of(
    request: HttpRequest,
    site: AdminSite,
    process: str,
    row: Mapping[str, Any],
    connection: Mapping[str, Any],
) -> Links:
    """Return the actions that make sense for *row* and that the user may have done."""
    path, kind, state = (str(row.get(name) or "") for name in ("path", "kind", "state"))
    offered = actions_for(path, kind, state, lambda codename: may(request, f"{APP}.{codename}"))
    found = [_link(site, action, process=process, path=path) for action in offered]
    user = connection.get("user")
    return found + user_links(request, site, "" if user is None else str(user))


def user_links(request: HttpRequest, site: AdminSite, user: str) -> Links:
    """Return the actions for a *user* that the one who looks may have done."""
    action = ACTIONS["disconnect-user"]
    if not may(request, f"{APP}.{action.permission}"):
        return []
    return [_link(site, action, user=user)] if user else []


def process_links(request: HttpRequest, site: AdminSite, process: str) -> Links:
    """Return the actions for a whole process that the one who looks may have done."""
    return links_of(request, site, process, {"path": "/", "kind": "root"}, {})


def _link(site: AdminSite, action: Action, **query: str) -> dict[str, str]:
    return {"title": action.title, "url": link(site, "greenroom_act", action.name, **query)}
