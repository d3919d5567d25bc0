# The live tree as JSON, for staff. The pages of the admin are a later issue.

from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ...supervisor import current_root

NOT_RUNNING = (
    "No Greenroom runs in this process. Serve the project with"
    " `hypercorn -k trio mysite.asgi:application` and Greenroom(...) in asgi.py."
)


@require_safe
@never_cache
def tree_view(request: HttpRequest) -> HttpResponseBase:
    """
    Answer with the live tree of this process as JSON, to active members of staff.

    Anonymous users are sent to the login page; everybody else gets 403. Without a
    running tree the answer is 503 with a sentence in ``error``.
    """
    user = _user(request)
    if not user.is_authenticated:
        # Its module imports models: only here is it sure that they are installed.
        from django.contrib.auth.views import redirect_to_login

        return redirect_to_login(request.get_full_path(), _login_url())
    if not (user.is_active and user.is_staff):
        raise PermissionDenied("The tree is for staff.")
    try:
        root = current_root()
    except LookupError:
        return JsonResponse({"error": NOT_RUNNING}, status=503)
    tree = root.snapshot_blocking().as_dict()
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
