# Middleware in all the ways in which it can be written.
import threading
from collections import Counter
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

from greenroom.bridges.django import on_asyncio, on_trio

from ._loops import nap, running_on

COUNTS: Counter[str] = Counter()
Next = Callable[[HttpRequest], HttpResponseBase]
AsyncNext = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class Counted(MiddlewareMixin):
    """Counts what comes in and what goes out."""

    def process_request(self, request: HttpRequest) -> None:
        COUNTS["in"] += 1

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        COUNTS["out"] += 1
        return response


HELD = threading.Event()


class Holding(MiddlewareMixin):
    """Holds back the responses to those who ask for it, until it is told."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if "hold" in request.GET:
            COUNTS["held"] += 1
            HELD.wait(30)
            HELD.clear()
        return response


class Async:
    """Middleware that is async, and nothing else."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: AsyncNext) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        await nap()
        response = await self.get_response(request)
        await nap()
        response["X-Middleware"] = running_on()
        return response


@on_trio
class AsyncOnTrio(Async):
    """The same, written for trio."""


@on_asyncio
class AsyncOnAsyncio(Async):
    """The same, written for asyncio."""


@sync_only_middleware
def around(get_response: Next) -> Next:
    """Middleware that is a function, and looks at the response."""

    def run(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["X-Middleware"] = "around"
        return response

    return run


class Either:
    """Middleware that can be both."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["X-Middleware"] = "async" if self.is_async else "sync"
        return response
