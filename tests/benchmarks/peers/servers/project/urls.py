"""The one view."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def sync(request: HttpRequest) -> HttpResponse:
    """Answer with the query string."""
    return HttpResponse(request.META["QUERY_STRING"], content_type="text/plain")


urlpatterns = [path("sync", sync)]
