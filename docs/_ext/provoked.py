# Every system check, provoked, so that the reference shows what it really says.

import sys
from types import ModuleType
from unittest import mock

from django.core.asgi import get_asgi_application
from django.core.checks import CheckMessage
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.django import _inspection_checks, checks
from greenroom.bridges.hypercorn import _internals


class Chat(WebsocketConsumer):
    """Somebody's consumer."""


async def news(request: HttpRequest) -> HttpResponse:
    """Somebody's async view."""
    return HttpResponse()


def provoke() -> dict[str, CheckMessage]:
    """Return a message of each check, by its id."""
    found: list[CheckMessage] = []
    for wrong in ({"VIEW_TREADS": 8}, {"VIEW_THREADS": 0}, ["VIEW_THREADS"]):
        with override_settings(GREENROOM=wrong):
            found += checks.check_setting()
    with override_settings(ASGI_APPLICATION="mysite.asgy.application"):
        found += checks.check_asgi_application()
    mysite = ModuleType("old_asgi")
    mysite.application = get_asgi_application()
    urls = ModuleType("wrong_urls")
    urls.urlpatterns = [path("ws/chat/", Chat)]
    urls.urlpatterns[0].callback = Chat
    with mock.patch.dict(sys.modules, {"old_asgi": mysite, "wrong_urls": urls}):
        with override_settings(ASGI_APPLICATION="old_asgi.application"):
            found += checks.check_asgi_application()
        with override_settings(ROOT_URLCONF="wrong_urls"):
            found += checks.check_routes()
    pooled = {"default": {"OPTIONS": {"pool": {"max_size": 4}}}}
    with mock.patch.object(checks.settings, "DATABASES", pooled):
        found += checks.check_databases()
    kept = {"default": {"OPTIONS": {"pool": True}, "CONN_MAX_AGE": 60}}
    with mock.patch.object(checks.settings, "DATABASES", kept):
        found += checks.check_databases()[:1]
    newspaper = ModuleType("newspaper")
    newspaper.urlpatterns = [path("news/", news)]
    with (
        mock.patch.dict(sys.modules, {"newspaper": newspaper}),
        mock.patch.dict(connections["default"].settings_dict, ATOMIC_REQUESTS=True),
        override_settings(ROOT_URLCONF="newspaper"),
    ):
        found += checks.check_atomic_requests()
    with mock.patch.object(checks.apps, "is_installed", "channels".__eq__):
        found += checks._rivals()
    with mock.patch.object(_internals, "version", return_value="0.99.0"):
        found += checks.check_hypercorn()
    with mock.patch.object(checks.asgiref, "patch_problem", return_value="asgiref has changed"):
        found += checks.check_asgiref()
    with override_settings(GREENROOM={"INSPECTION_DIR": f"/run/{'mysite' * 16}"}):
        found += _inspection_checks.check_inspection_dir()
    missing = ImportError("tracing needs opentelemetry-api: pip install 'greenroom[tracing]'")
    with (
        override_settings(GREENROOM={"TRACING": True}),
        mock.patch.object(_inspection_checks, "kinds_of", side_effect=missing),
    ):
        found += _inspection_checks.check_tracing()
    first = {"runserver": "django.contrib.staticfiles"}
    with mock.patch.object(checks, "get_commands", return_value=first):
        found += checks.check_runserver()
    return {message.id: message for message in found}
