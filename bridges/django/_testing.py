# What tests of a Django project need of Django: its test classes, the project's application, static
# files. bridges/testing uses it; no server does.

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import TransactionTestCase, modify_settings

from ._development import StaticFiles
from ._paths import import_dotted
from ._setup import require_django

__all__ = [
    "TransactionTestCase",
    "modify_settings",
    "project_application",
    "with_static_files",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


def project_application() -> Callable[..., Any]:
    """
    Return the application that ASGI_APPLICATION names.

    Raises:
        ImproperlyConfigured: It is not set, or leads nowhere.
    """
    require_django()
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        raise ImproperlyConfigured(
            "ASGI_APPLICATION is not set, and the test names no application. Put"
            ' ASGI_APPLICATION = "mysite.asgi.application" into the settings.'
        )
    return cast("Callable[..., Any]", import_dotted(name, "ASGI_APPLICATION"))


def with_static_files(application: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return *application* behind the project's static files, straight out of the apps.

    Where django.contrib.staticfiles is not installed there are none.
    """
    if not apps.is_installed("django.contrib.staticfiles"):
        return application
    return _WithStaticFiles(application)


class _WithStaticFiles:
    """*application* behind static files; nothing else stands between a socket and it."""

    greenroom_native = True

    def __init__(self, application: Any) -> None:
        self._application = application
        self._serve = getattr(application, "serve_scope", application)
        self._static = StaticFiles()
        self.connection_limits = getattr(application, "connection_limits", None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope. A checkpoint."""
        if scope["type"] == "lifespan":
            async with self._static.lifespan(cast("Any", self._static)):
                await self._application(scope, receive, send)
        elif self._is_static(scope):
            await self._static(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def serve_scope(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request or a WebSocket: await what is returned."""
        if self._is_static(scope):
            return cast("Any", self._static)(scope, receive, send)
        return self._serve(scope, receive, send)

    def _is_static(self, scope: Scope) -> bool:
        return scope["type"] == "http" and self._static.handles(scope["path"])
