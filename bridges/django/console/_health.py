# /health/live and /health/ready as Django's views. Anybody may ask, so they say no more than yes
# or no; whoever has a token is told why not.
#
# Neither touches the session or the database: they answer also where those are away.

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from ....supervisor import Root, current_root
from ...inspection._health import Health, liveness_from_thread, readiness_from_thread
from ._api_gate import View, by_itself, refuse_method, token_of
from ._api_reply import Refused, reply
from ._tokens import READ

NO_TREE = (
    "no Greenroom runs in this process: serve the project with"
    " `hypercorn -k trio mysite.asgi:application` and Greenroom(...) in asgi.py"
)


def _health_view(look: Callable[[Root], Health], otherwise: str) -> View:
    @never_cache
    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        try:
            token = token_of(request)  # a wrong one is refused, none is not
            refuse_method(request, ("GET", "HEAD"))
        except Refused as refusal:
            return refusal.response()
        told = token is not None and READ in token.permissions
        try:
            health = look(current_root())
        except LookupError:
            health, told = Health((NO_TREE,)), True  # that is no secret
        document: dict[str, object] = {"status": "ok" if health.ok else otherwise}
        if told:
            document["problems"] = list(health.problems)
        return reply(document, 200 if health.ok else 503)

    return by_itself(view)


live_view = _health_view(liveness_from_thread, "not live")
"""Say whether the event loop of this process turns: 200 or 503."""

ready_view = _health_view(readiness_from_thread, "not ready")
"""Say whether this process should be sent requests: 200 or 503."""
