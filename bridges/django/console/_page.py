# A page of the console as a whole, or only the part of it that changes.
#
# The script asks for the same URL with the header X-Greenroom-Fragment and puts what comes in
# the place of what is there; without the script each page is whole and reads the same.

import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ...inspection._hook import directories_of
from .._project import project_name
from .._settings import load_options
from ._actions import ACTIONS
from ._hearing import Hearing
from ._view import APP, VIEW_TREE, may
from ._words import count

FRAGMENT = "X-Greenroom-Fragment"
"""The header of a request for the changing part, and of the answer that is one."""

_OF_AIMS = {
    "path": "greenroom_tree",
    "user": "greenroom_connections",
    "process": "greenroom_processes",
}


class Place(NamedTuple):
    """One page in the navigation."""

    name: str
    title: str
    permission: str


PLACES = (
    Place("greenroom_tree", "Tree", VIEW_TREE),
    Place("greenroom_connections", "Connections", VIEW_TREE),
    Place("greenroom_groups", "Groups", VIEW_TREE),
    Place("greenroom_presence", "Presence", VIEW_TREE),
    Place("greenroom_dead_letters", "Dead letters", VIEW_TREE),
    Place("greenroom_threads", "Threads", VIEW_TREE),
    Place("greenroom_processes", "Processes", VIEW_TREE),
    Place("greenroom_events", "Events", VIEW_TREE),
    Place("greenroom_audit", "Audit log", f"{APP}.view_audit"),
)


def link(site: AdminSite, name: str, *args: str, **query: object) -> str:
    """Return the URL *name* of *site*; of *query* what is neither None, False nor ""."""
    url = reverse(f"admin:{name}", args=args, current_app=site.name)
    kept = [(key, value) for key, value in query.items() if value not in (None, False, "")]
    return f"{url}?{urlencode(kept, doseq=True)}" if kept else url


def page(
    request: HttpRequest,
    site: AdminSite,
    name: str,
    title: str,
    hearing: Hearing | None,
    context: Mapping[str, object],
    *,
    status: int = 200,
) -> HttpResponse:
    """
    Return the page that ``greenroom/console/<name>.html`` makes of *context*.

    Args:
        request: Whose request.
        site: The admin site.
        name: The template: ``<name>.html`` is the page, ``_<name>.html`` its changing part.
        title: The heading.
        hearing: What the processes have said; None for a page that asks none.
        context: For the template.
        status: Of the answer.
    """
    shown = {
        "title": title,
        "now": time.time(),
        "heard": None if hearing is None else heard(hearing),
        **context,
    }
    if hearing is not None and request.headers.get(FRAGMENT):
        template = f"greenroom/console/_{name}.html"
        response = TemplateResponse(request, template, shown, status=status)
        response[FRAGMENT] = "1"
        return response
    whole = {
        **site.each_context(request),
        "places": places(request, site),
        "feed": link(site, "greenroom_feed") if hearing is not None else "",
        **shown,
    }
    return TemplateResponse(request, f"greenroom/console/{name}.html", whole, status=status)


def places(request: HttpRequest, site: AdminSite) -> list[dict[str, object]]:
    """Return the navigation as far as the user may go, and what of it the page is, or is below."""
    match = request.resolver_match
    here = str(match.url_name) if match else ""
    above = _above(here, str(match.kwargs.get("action")) if match else "")
    return [
        {
            "title": place.title,
            "url": link(site, place.name),
            "current": {here: "page", above: "true"}.get(place.name, ""),
        }
        for place in PLACES
        if may(request, place.permission)
    ]


def _above(name: str, action: str) -> str:
    """Return the page of the navigation that another page, or an action's, belongs to; "": none."""
    if name == "greenroom_act":
        return _OF_AIMS[ACTIONS[action].aim] if action in ACTIONS else ""
    return "greenroom_tree" if name == "greenroom_actor" else ""


def heard(hearing: Hearing) -> dict[str, Any]:
    """Return who has answered, as a page tells it."""
    voices, silent = hearing.voices, hearing.silent
    answered = len(voices) - len(silent)
    return {
        "none": not voices,
        "summary": f"{answered} of {count(len(voices), 'process', 'processes')} answered",
        "silent": [
            {"process": voice.process, "pid": voice.pid, "why": voice.silent} for voice in silent
        ],
        "problem": hearing.problem,
        "directories": _directories() if not voices else [],
    }


def _directories() -> list[str]:
    """Return where the sockets of the workers are looked for."""
    places = directories_of(load_options(), project_name())
    return [str(place) for place in places or []]
