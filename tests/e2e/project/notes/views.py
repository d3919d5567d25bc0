# Ordinary Django views, in the ways that matter to a server.

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Note


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"hello from {threading.current_thread().name}")


async def async_hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"notes": await Note.objects.acount()})


@csrf_exempt
def notes(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        Note.objects.create(text=request.POST["text"])
    return JsonResponse({"notes": [note.text for note in Note.objects.order_by("pk")]})


def count(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(f"{n}\n" for n in range(int(request.GET["to"])))


@csrf_exempt
def digest(request: HttpRequest) -> JsonResponse:
    """What has come of a body of any size, and in which process."""
    found, size = hashlib.sha256(), 0
    while chunk := request.read(65536):
        found.update(chunk)
        size += len(chunk)
    return JsonResponse({"pid": os.getpid(), "size": size, "sha256": found.hexdigest()})


def download(request: HttpRequest) -> StreamingHttpResponse:
    """As many blocks of 64 KiB as are asked for, each of them different."""
    blocks = range(int(request.GET["blocks"]))
    return StreamingHttpResponse(n.to_bytes(8, "big") * 8192 for n in blocks)


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 4096
        finally:
            sys.stderr.write("endless stream closed\n")
            sys.stderr.flush()

    return StreamingHttpResponse(generate())


@csrf_exempt
def echo(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(lambda: request.read(65536), b""))


def seen(request: HttpRequest) -> JsonResponse:
    """What Django believes of a request."""
    return JsonResponse({
        "client": request.META["REMOTE_ADDR"],
        "forwarded for": request.headers.get("X-Forwarded-For"),
        "secure": request.is_secure(),
        "url": request.build_absolute_uri(),
    })


@csrf_exempt
def sign_in(request: HttpRequest) -> HttpResponse:
    user = authenticate(request, **request.POST.dict())
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponse(status=204)


@csrf_exempt
def upload(request: HttpRequest) -> JsonResponse:
    digest = hashlib.sha256()
    file: Any = request.FILES["file"]
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest.hexdigest()})


def raises(request: HttpRequest) -> HttpResponse:
    raise LookupError("a view that raises")


def raises_in_stream(request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[str]:
        yield "the beginning\n"
        raise LookupError("a stream that raises")

    return StreamingHttpResponse(generate())


def unwritable(request: HttpRequest) -> HttpResponse:
    """A response that no HTTP/1.1 server can send."""
    return HttpResponse(status=101)
