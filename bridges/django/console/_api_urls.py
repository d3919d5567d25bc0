# The URLs of the JSON API: once below the admin, for sessions, and once where a project includes
# greenroom.bridges.django.urls, for tokens, too.

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import URLPattern, path

from ._api_actions import ACTIONS_DOC, act_view, actions_view, actor_act_view
from ._api_audit import AUDIT_PARAMETERS, audit_view
from ._api_gate import ApiView, Asker, View, api_view
from ._api_query import Parameter, read
from ._api_reply import Refused, reply
from ._api_table import AUDIT, ENDPOINTS, VERSION
from ._api_views import READING
from ._tokens import READ

if TYPE_CHECKING:  # a project without the admin has the rest all the same
    from django.contrib.admin import AdminSite

BASE = f"api/v{VERSION}/"


def api_urls_on(site: "AdminSite") -> list[URLPattern]:
    """Return the URLs for *site*, each with the name ``greenroom_api_...``."""
    return _patterns(lambda view: view.on(site), BASE, "greenroom_api", "_")


def api_urls() -> list[URLPattern]:
    """Return the URLs for tokens and sessions, each with the name ``api-...``."""
    return _patterns(lambda view: view.open(), BASE, "api", "-")


@api_view()
def index_view(request: HttpRequest, asker: Asker) -> HttpResponse:
    """List what can be asked, and whether who asks may."""
    read(request.GET.lists(), ())
    endpoints = [
        _shown(request, asker, each.name, each.doc, READ, each.known) for each in ENDPOINTS.values()
    ]
    endpoints.append(
        _shown(
            request, asker, "audit", "What was done by hand, and by whom.", AUDIT, AUDIT_PARAMETERS
        )
    )
    endpoints.append(_shown(request, asker, "actions", ACTIONS_DOC, READ, ()))
    return reply({"version": VERSION, "you": asker.name, "endpoints": endpoints})


@api_view("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
def unknown_view(request: HttpRequest, asker: Asker, rest: str) -> HttpResponse:
    """Say in JSON that there is nothing: the project's own page for that is for browsers."""
    if f"api/{rest}/" == BASE and request.method in ("GET", "HEAD"):
        return HttpResponsePermanentRedirect(f"{request.path}/")
    raise Refused(
        "not-found", f"There is nothing here. The first page of {BASE} lists what can be asked."
    )


def _shown(
    request: HttpRequest,
    asker: Asker,
    name: str,
    doc: str,
    permission: str,
    parameters: tuple[Parameter, ...],
) -> dict[str, object]:
    return {
        "name": name,
        "url": f"{request.path}{name}",
        "doc": doc,
        "permission": permission,
        "allowed": asker.may(permission),
        "query": {each.name: each.as_dict() for each in parameters},
    }


def _patterns(
    placed: Callable[[ApiView], View], base: str, name: str, between: str
) -> list[URLPattern]:
    reading = [
        path(f"{base}{each}", placed(view), name=f"{name}{between}{each.replace('-', '_')}")
        for each, view in READING.items()
    ]
    actors = f"{base}actors/<path:path>"
    return [
        path(base, placed(index_view), name=name),
        *reading,
        path(f"{base}audit", placed(audit_view), name=f"{name}{between}audit"),
        path(f"{base}actions", placed(actions_view), name=f"{name}{between}actions"),
        path(f"{base}actions/<slug:action>", placed(act_view), name=f"{name}{between}act"),
        # Before the next one, which would take it for a longer path.
        path(
            f"{actors}/actions/<slug:action>",
            placed(actor_act_view),
            name=f"{name}{between}actor_act",
        ),
        path(actors, placed(READING["actors"]), name=f"{name}{between}actor"),
        path("api/<path:rest>", placed(unknown_view), name=f"{name}{between}unknown"),
    ]
