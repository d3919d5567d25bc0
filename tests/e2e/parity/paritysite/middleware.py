# Middleware that does what the header X-Do says: "inner process_request raises LookupError".
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.utils.deprecation import MiddlewareMixin

ERRORS: dict[str, type[Exception]] = {
    "LookupError": LookupError,
    "Http404": Http404,
    "PermissionDenied": PermissionDenied,
    "SuspiciousOperation": SuspiciousOperation,
}


class Told(MiddlewareMixin):
    """Raises or answers where it is told to, and leaves its marks on each response."""

    name = ""

    def _do(self, hook: str, request: Any) -> HttpResponse | None:
        request.META.setdefault("HOOKS", []).append(f"{self.name}.{hook}")
        wanted = request.headers.get("X-Do", "").split()
        if wanted[:2] != [self.name, hook]:
            return None
        if wanted[2] == "answers":
            return HttpResponse(f"answered by {self.name}.{hook}")
        raise ERRORS[wanted[3]](f"raised by {self.name}.{hook}")

    def process_request(self, request: Any) -> HttpResponse | None:
        return self._do("process_request", request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        return self._do("process_view", request)

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:
        return self._do("process_exception", request)

    def process_template_response(self, request: Any, response: Any) -> HttpResponse:
        self._do("process_template_response", request)
        if response.context_data is not None:
            response.context_data[self.name] = f"{self.name} was here"
        return response

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        answer = self._do("process_response", request) or response
        answer[f"X-{self.name}"] = " ".join(request.META["HOOKS"])
        return answer


class Outer(Told):
    name = "outer"


class Inner(Told):
    name = "inner"


class SessionsByPath(SessionMiddleware):
    """Takes the backend from the path: /session/file/ is kept in files."""

    def process_request(self, request: Any) -> None:
        parts = request.path_info.split("/")
        kind = parts[2] if parts[1] == "session" else "db"
        store = import_module(f"django.contrib.sessions.backends.{kind}").SessionStore
        request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))


class UserOfTheProxy(RemoteUserMiddleware):
    header = "HTTP_X_USER"
