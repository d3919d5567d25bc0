# What stands before every view of the console: who may see it, and by which methods.
#
# What `console_view("GET")` decorates is no view yet: `on(site)` makes it one of an admin site's.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_view.py:
#   LOGIN     who may not enter the admin site is sent to its login page.
#   PERMITTED who lacks the permission gets 403, whatever the method.
#   METHODS   a method that the view does not name gets 405.
#   UNSTORED  no answer is kept by a browser or a proxy.
#   LET GO    no connection is kept either: the next request goes to a process that answers.

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.template.response import TemplateResponse

from ._let_go import let_go

APP = "greenroom"
VIEW_TREE = f"{APP}.view_tree"

Handler = Callable[..., HttpResponseBase]
View = Callable[..., HttpResponseBase]


class ConsoleView:
    """
    A view of the console, before it belongs to an admin site.

    Args:
        handler: Is called with the request, the site and what the URL holds.
        methods: The methods it answers; HEAD is answered where GET is.
        permission: ``app_label.codename``; the user must have it.
        json: Whether refusals are JSON instead of a page.
    """

    def __init__(
        self, handler: Handler, methods: Iterable[str], permission: str, *, json: bool
    ) -> None:
        self.handler = handler
        self.methods: list[str] = sorted({*methods} | ({"HEAD"} if "GET" in methods else set()))
        self.permission = permission
        self._json = json

    def __repr__(self) -> str:
        return f"<ConsoleView {self.handler.__name__} {' '.join(self.methods)} {self.permission}>"

    def on(self, site: AdminSite) -> View:
        """Return the view as it is on *site*, for `django.urls.path`."""

        @wraps(self.handler)
        def view(request: HttpRequest, **captured: object) -> HttpResponseBase:
            # Names of URLs mean those of this site, also where a project has several.
            cast("Any", request).current_app = site.name
            if not may(request, self.permission):
                answer = self._refused(request, site)
            elif request.method not in self.methods:
                answer = HttpResponseNotAllowed(self.methods)
            else:
                answer = self.handler(request, site, **captured)
            return let_go(request, answer)

        # It adds Cache-Control (no-store), the login and the check of the CSRF token.
        guarded = cast("View", site.admin_view(view))
        # What a feed, or a test that walks the URLs, wants to know of it.
        cast("Any", guarded).console_view = self
        return guarded

    def _refused(self, request: HttpRequest, site: AdminSite) -> HttpResponseBase:
        text = f"This needs the permission {self.permission}, which somebody must give you."
        if self._json:
            refusal = {"error": {"code": "forbidden", "text": text}}
            return JsonResponse(refusal, status=403)
        context = {
            **site.each_context(request),
            "title": "Not permitted",
            "permission": self.permission,
        }
        return TemplateResponse(request, "greenroom/console/forbidden.html", context, status=403)


def console_view(
    *methods: str, permission: str = VIEW_TREE, json: bool = False
) -> Callable[[Handler], ConsoleView]:
    """
    Make a function a view of the console: ``handler(request, site, **captured)``.

    Anonymous users and who may not enter the admin site are sent to its login page, who
    lacks *permission* gets 403, another method than *methods* 405; nothing is stored.

    Args:
        methods: Such as "GET", "POST"; HEAD is answered where GET is.
        permission: ``app_label.codename``.
        json: Whether refusals are JSON, ``{"error": {"code", "text"}}``, instead of a page.
    """
    return lambda handler: ConsoleView(handler, methods, permission, json=json)


def may(request: HttpRequest, permission: str) -> bool:
    """Say whether the request's user is active and has *permission*, ``app_label.codename``."""
    user = cast("Any", request).user
    return bool(user.is_active and user.has_perm(permission))
