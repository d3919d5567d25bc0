# Ordinary Django views. They run in worker threads beside the consumers.
import inspect
from zlib import crc32

from django.conf import settings
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.csrf import ensure_csrf_cookie

from greenroom.supervisor import current_root

from . import founding as founding_module
from .models import Room


def people_in(room: Room) -> int:
    """How many sockets are in the room now."""
    try:
        return len(current_root().groups.members(f"chat.{room.slug}"))
    except LookupError:  # no server around this view, as in a test
        return 0


@ensure_csrf_cookie
def lobby(request: HttpRequest) -> HttpResponse:
    """The list of rooms; a POST opens another one."""
    if request.method == "POST":
        title = " ".join(request.POST.get("title", "").split())[:40]
        if title:
            # A name without a Latin letter or digit, such as "Кухня", leaves no slug.
            slug = slugify(title) or f"room-{crc32(title.encode()):x}"
            Room.objects.get_or_create(slug=slug, defaults={"title": title})
            return redirect("room", slug)
    rooms = Room.objects.annotate(lines=Count("messages"), last=Max("messages__sent_at"))
    listed = [{"room": room, "people": people_in(room)} for room in rooms]
    return render(request, "chat/lobby.html", {"listed": listed, "demo": settings.DEBUG})


def room(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one room; everything live on it comes through a WebSocket."""
    found = get_object_or_404(Room, slug=slug)
    return render(request, "chat/room.html", {"room": found, "demo": settings.DEBUG})


def founding(request: HttpRequest) -> HttpResponse:
    """The founding consumer: its source, as it runs, and a console to talk to it."""
    return render(request, "chat/founding.html", {"source": inspect.getsource(founding_module)})
