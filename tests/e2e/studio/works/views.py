import hashlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render

from .models import Artist, Piece

CLOSED: list[str] = []


def index(request: HttpRequest) -> HttpResponse:
    artists = [artist.name for artist in Artist.objects.order_by("name")]
    return render(request, "index.html", {"artists": artists})


async def async_pieces(request: HttpRequest) -> HttpResponse:
    titles = [piece.title async for piece in Piece.objects.order_by("title")]
    return render(request, "index.html", {"artists": titles})


def upload(request: HttpRequest) -> HttpResponse:
    """A form with a file; what came of it is shown, and kept."""
    shown: dict[str, Any] = {}
    if request.method == "POST":
        file = request.FILES["file"]
        found = hashlib.sha256()
        for chunk in file.chunks():
            found.update(chunk)
        artist, _ = Artist.objects.get_or_create(name="Uploader")
        piece = Piece.objects.create(artist=artist, title=file.name, file=file)
        shown = {"pk": piece.pk, "size": file.size, "sha256": found.hexdigest()}
    return render(request, "upload.html", shown)


def download(request: HttpRequest, pk: int) -> FileResponse:
    return FileResponse(get_object_or_404(Piece, pk=pk).file.open("rb"), as_attachment=True)


def live(request: HttpRequest) -> HttpResponse:
    return render(request, "live.html")


def ticks(request: HttpRequest) -> StreamingHttpResponse:
    """Server-sent lines without an end, from a plain generator."""
    pause = threading.Event()

    def lines() -> Iterator[str]:
        number = 0
        try:
            while True:
                number += 1
                yield f"data: tick {number}\n\n"
                pause.wait(0.02)
        finally:
            CLOSED.append("ticks")

    return StreamingHttpResponse(lines(), content_type="text/event-stream")


def closed(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"closed": CLOSED})


def pid(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))
