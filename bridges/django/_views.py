# The live tree of one process as JSON, whole and indented, for a look by hand. A program takes the
# JSON API (console/_api_urls.py), which knows all processes and has pages.

from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ...supervisor import current_root
from .console._hidden import without_secrets
from .console._mounted import may_enter_some

NOT_RUNNING = (
    "No Greenroom runs in this process. Serve the project with"
    " `hypercorn -k trio mysite.asgi:application` and Greenroom(...) in asgi.py."
)

TOO_LARGE = (
    "{} connections are open, and the whole tree at once is for {} at most: it would hold all of"
    " them up. Take the console, or the JSON API, which has pages."
)
MOST = 2000
"""Connections of which the whole tree is shown: it is taken in one piece, on the loop."""


@require_safe
@never_cache
def tree_view(request: HttpRequest) -> HttpResponseBase:
    """
    Answer with the live tree of this process as JSON, to active members of staff.

    Where the app is installed they need the permission ``greenroom.view_tree``, and for tracebacks
    and the texts of exceptions ``greenroom.view_traceback``. Anonymous users are sent to the login
    page; others get 403. Without a running tree, and with a very large one, the answer is 503 with
    a sentence in ``error``.
    """
    user = _user(request)
    if not user.is_authenticated:
        # Its module imports models: only here is it sure that they are installed.
        from django.contrib.auth.views import redirect_to_login

        return redirect_to_login(request.get_full_path(), _login_url())
    if not (user.is_active and user.is_staff):
        raise PermissionDenied("The tree is for staff.")
    if not may_enter_some(request):
        raise PermissionDenied("The tree is for those whom the admin lets in.")
    # Without the app there are no such permissions, and staff may see it all.
    is_installed = apps.is_installed("greenroom.bridges.django")
    if is_installed and not user.has_perm("greenroom.view_tree"):
        raise PermissionDenied("The tree needs the permission greenroom.view_tree.")
    try:
        root = current_root()
    except LookupError:
        return JsonResponse({"error": NOT_RUNNING}, status=503)
    if root.connections.open > MOST:
        text = TOO_LARGE.format(root.connections.open, MOST)
        return JsonResponse({"error": text}, status=503)
    tree: Any = root.snapshot_blocking().as_dict()
    if is_installed and not user.has_perm("greenroom.view_traceback"):
        tree = without_secrets(tree)
    return JsonResponse(tree, json_dumps_params={"indent": 2})


def _user(request: HttpRequest) -> Any:
    try:
        return cast("Any", request).user
    except AttributeError:
        raise ImproperlyConfigured(
            "The tree is for staff, so it needs django.contrib.auth's and"
            " django.contrib.sessions' apps and middleware."
        ) from None


def _login_url() -> str:
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return str(settings.LOGIN_URL)
