# All URLs of the console on one admin site: the pages', the actions', and the names by which the
# admin's index finds them.

from typing import Any

from django.contrib.admin import AdminSite
from django.urls import path
from django.views.generic import RedirectView

from ._action_views import act
from ._api_gate import unwrapped
from ._api_urls import api_urls_on
from ._audit_views import audit
from ._urls import urlpatterns


def console_patterns(site: AdminSite) -> list[Any]:
    """Return the URLs below ``<admin>/greenroom/`` on *site*."""
    return [
        # Each row of the audit log is there at once, also below ATOMIC_REQUESTS.
        path("act/<str:action>/", unwrapped(act.on(site)), name="greenroom_act"),
        path("audit/", audit.on(site), name="greenroom_audit"),
        *urlpatterns(site),
        *api_urls_on(site),
        # The index links to these names; the pages above have answered before.
        path("", _to("greenroom_tree", site), name="greenroom_console_changelist"),
        path("audit/", _to("greenroom_audit", site), name="greenroom_auditentry_changelist"),
    ]


def _to(name: str, site: AdminSite) -> Any:
    return site.admin_view(RedirectView.as_view(pattern_name=f"admin:{name}"))
