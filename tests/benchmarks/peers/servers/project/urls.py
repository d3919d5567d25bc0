"""The views."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from .models import aread_row_for, read_row_for


def answer(request: HttpRequest) -> HttpResponse:
    """Answer with the query string."""
    return HttpResponse(request.META["QUERY_STRING"], content_type="text/plain")


def orm(request: HttpRequest) -> HttpResponse:
    """Read a row, then answer."""
    read_row_for(request.META["QUERY_STRING"])
    return answer(request)


async def asynchronous(request: HttpRequest) -> HttpResponse:
    """Answer, from a coroutine."""
    return answer(request)


async def aorm(request: HttpRequest) -> HttpResponse:
    """Read a row with the async API, then answer."""
    await aread_row_for(request.META["QUERY_STRING"])
    return answer(request)


urlpatterns = [
    path("sync", answer),
    path("orm", orm),
    path("async", asynchronous),
    path("aorm", aorm),
]
