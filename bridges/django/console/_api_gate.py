# What stands before every view of the JSON API: who asks, by which method, and what for.
#
# Invariants, each with a test of that name in tests/bridges/django/test_api_gate.py:
#   ONE WAY    who sends a token is judged by it alone; his session is not looked at.
#   LOGIN      nobody gets 401, who is no staff or lacks the permission 403, as JSON. Below the
#              admin the login page comes first, as for all of it.
#   NO WAY ROUND  whom every admin site keeps out, staff or not, is kept out beside them, too.
#   FORGED     what a session changes needs the CSRF token; what a token changes does not.
#   METHODS    a method that the view does not name gets 405, from those who may ask at all.
#   UNSTORED   no answer is kept by a browser or a proxy.
#   BY ITSELF  no transaction is around it, and no login page of a middleware's before it.

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from ....supervisor._api_tokens import ApiToken
from ._api_reply import Refused
from ._let_go import let_go
from ._mounted import may_enter_some
from ._tokens import READ, bearer_of, find_token

if TYPE_CHECKING:  # a project without the admin has the rest all the same
    from django.contrib.admin import AdminSite

APP = "greenroom"
GET = ("GET", "HEAD")

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="greenroom"'}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a member of staff, or a script with a token."""

    name: str
    """For the audit log."""
    user: Any = None
    """The user; None if it is a token's."""
    token: ApiToken | None = None
    """The token; None if it is a user."""

    def may(self, codename: str) -> bool:
        """Say whether it has the permission *codename*, such as ``view_tree``."""
        if self.token is not None:
            return codename in self.token.permissions
        return bool(self.user.is_active and self.user.has_perm(f"{APP}.{codename}"))

    def must(self, codename: str, what: str = "This") -> None:
        """Refuse who has not the permission *codename*. Raises Refused."""
        if not self.may(codename):
            raise Refused("forbidden", f"{what} needs the permission {APP}.{codename}.")


Handler = Callable[..., HttpResponse]
View = Callable[..., HttpResponseBase]


class ApiView:
    """
    A view of the API, before it has a place.

    Args:
        handler: Is called with the request, the `Asker` and what the URL holds.
        methods: The methods it answers.
        permission: The codename that all of them need; "" if the handler looks itself.
    """

    def __init__(self, handler: Handler, methods: Collection[str], permission: str) -> None:
        self.handler = handler
        self.methods = tuple(methods)
        self.permission = permission

    def open(self) -> View:
        """Return the view as it is outside of the admin: for tokens and sessions."""
        return by_itself(never_cache(cast("Any", self._made(in_admin=False))))

    def on(self, site: "AdminSite") -> View:
        """Return the view as it is on *site*: for sessions that may enter it."""
        return unwrapped(site.admin_view(cast("Any", self._made(in_admin=True))))

    def _made(self, *, in_admin: bool) -> View:
        @csrf_exempt  # looked at below, and answered in JSON
        @wraps(self.handler)
        def view(request: HttpRequest, **captured: object) -> HttpResponse:
            try:
                asker = _of_session(request) if in_admin else asker_of(request)
                if self.permission:
                    asker.must(self.permission)
                refuse_method(request, self.methods)
                if asker.token is None and request.method not in GET:
                    _refuse_forged(request)
                answer = self.handler(request, asker, **captured)
            except Refused as refusal:
                answer = refusal.response()
            return let_go(request, answer)

        cast("Any", view).api_view = self
        return view


def by_itself(view: View) -> View:
    """Mark a view that looks itself who asks: no login page of a middleware's comes before it."""
    cast("Any", view).login_required = False  # django.contrib.auth's LoginRequiredMiddleware
    return unwrapped(view)


def unwrapped(view: View) -> View:
    """
    Mark a view that is in no transaction, also below ATOMIC_REQUESTS.

    What it writes into the audit log stays there; and what asks no database needs none.
    """
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(cast("Any", view))
    return view


def api_view(*methods: str, permission: str = READ) -> Callable[[Handler], ApiView]:
    """
    Make a function a view of the API: ``handler(request, asker, **captured)``.

    It may raise `Refused`.
    """
    return lambda handler: ApiView(handler, methods or GET, permission)


def asker_of(request: HttpRequest) -> Asker:
    """
    Return who makes *request*, by token or, if there is none, by session: staff only.

    Raises:
        Refused: Nobody does, or nobody who may ask anything.
    """
    token = token_of(request)
    if token is not None:
        return Asker(f"token {token.name}", token=token)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        raise Refused(
            "unauthorized",
            "This is for tokens and for staff: send `Authorization: Bearer ...` with a token of"
            ' GREENROOM["INSPECTION_TOKENS"], or log in to the admin.',
            _CHALLENGE,
        )
    if not (user.is_active and user.is_staff):
        raise Refused("forbidden", "This is for staff.")
    if not may_enter_some(request):
        raise Refused("forbidden", "This is for those whom the admin lets in.")
    return _of_session(request)


def token_of(request: HttpRequest) -> ApiToken | None:
    """
    Return the token that *request* bears; None if it bears none.

    Raises:
        Refused: It bears one that is none of ours.
    """
    sent = bearer_of(request.headers.get("Authorization", ""))
    if sent is None:
        return None  # another scheme is that of a proxy, say
    token = find_token(sent)
    if token is None:
        raise Refused(
            "unauthorized",
            'The header Authorization holds no token of GREENROOM["INSPECTION_TOKENS"]; write'
            " `Authorization: Bearer` and the token.",
            {"WWW-Authenticate": 'Bearer realm="greenroom", error="invalid_token"'},
        )
    return token


def refuse_method(request: HttpRequest, methods: Collection[str]) -> None:
    """Refuse a method that is none of *methods*. Raises Refused."""
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise Refused("not-allowed", f"This answers {allowed} only.", {"Allow": allowed})


def _of_session(request: HttpRequest) -> Asker:
    user: Any = cast("Any", request).user
    return Asker(str(user.get_username()), user=user)


def _refuse_forged(request: HttpRequest) -> None:
    if _past_the_check(request).status_code != 204:
        raise Refused(
            "forbidden",
            "The CSRF token is missing or wrong: send the cookie's value as X-CSRFToken, from a"
            " page of this site. A token of INSPECTION_TOKENS needs none.",
        )


@csrf_protect
def _past_the_check(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)
