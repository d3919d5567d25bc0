# Views in all the ways a server, or Django's handler, may treat differently.
import asyncio
import datetime
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth import aauthenticate, alogin
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import Group
from django.core import exceptions, signals
from django.core.cache import cache
from django.db import connection, transaction
from django.dispatch import receiver
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import get_script_prefix, reverse
from django.utils import timezone, translation
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import condition

from .settings import FOLDER

SIGNALS: list[str] = []
CLOSED: list[str] = []


@receiver(signals.request_started)
def started(**_: Any) -> None:
    SIGNALS.append("started")


@receiver(signals.request_finished)
def finished(**_: Any) -> None:
    SIGNALS.append("finished")


@receiver(signals.got_request_exception)
def got_exception(**_: Any) -> None:
    SIGNALS.append("exception")


def pending(request: HttpRequest) -> JsonResponse:
    """How many requests are not finished, this one included, which is not counted later."""
    SIGNALS[len(SIGNALS) - 1 - SIGNALS[::-1].index("started")] = "asked"
    begun = len(SIGNALS) - SIGNALS.count("exception") - SIGNALS.count("finished")
    return JsonResponse(begun - SIGNALS.count("finished"), safe=False)


def signals_so_far(request: HttpRequest) -> JsonResponse:
    """What was signalled since these were cleared, up to this request, and what was closed."""
    said, asked = [], 0
    for name in SIGNALS:
        if name == "asked":
            asked += 1
        elif name == "finished" and asked:
            asked -= 1
        else:
            said.append(name)
    closed = CLOSED[:]
    if "clear" in request.GET:
        SIGNALS[:] = ["started"]
        CLOSED.clear()
    return JsonResponse({"signals": said, "closed": closed})


# What Django makes of a request.

NOT_COMPARED = {"SERVER_PORT", "REMOTE_PORT", "HOOKS"}


@csrf_exempt
def echo(request: HttpRequest, rest: str) -> JsonResponse:
    post = {name: request.POST.getlist(name) for name in request.POST}
    files = [
        [
            name,
            type(file).__name__,
            file.name,
            file.size,
            file.content_type,
            repr(file.charset),
            sorted(map(repr, file.content_type_extra.items())),
            hashlib.sha256(b"".join(file.chunks())).hexdigest(),
        ]
        for name in request.FILES
        for file in request.FILES.getlist(name)
    ]
    return JsonResponse({
        "rest": rest,
        "method": request.method,
        "paths": [request.path, request.path_info, get_script_prefix(), reverse("slash")],
        "full path": request.get_full_path(),
        "host": [request.get_host(), request.scheme, request.is_secure()],
        "port": request.get_port() if "X-Forwarded-Port" in request.headers else None,
        "url": request.build_absolute_uri("?a=1"),
        "GET": {name: request.GET.getlist(name) for name in request.GET},
        "POST": post,
        "FILES": files,
        "COOKIES": request.COOKIES,
        "META": {
            name: str(value)
            for name, value in sorted(request.META.items())
            if name not in NOT_COMPARED
        },
        "headers": sorted(request.headers.items()),
        "encoding": request.encoding,
        "type": [request.content_type, request.content_params],
        "language": request.LANGUAGE_CODE,
        "accepts": [request.accepts("text/html"), request.accepts("application/json")],
        "site": request.site.domain,
    })


@csrf_exempt
def body(request: HttpRequest, kind: str) -> HttpResponse:
    """Read the body in one of Django's ways."""
    if kind == "whole":
        return HttpResponse(request.body)
    if kind == "not-at-all":
        return HttpResponse("not read")
    if kind == "pieces":
        return HttpResponse(b"|".join(iter(lambda: request.read(1000), b"")))
    if kind == "lines":
        return HttpResponse(repr(list(request)))
    if kind == "readline":
        return HttpResponse(repr([request.readline(), request.readline(), request.read(2)]))
    if kind == "twice":
        request.read(2)
        return HttpResponse(request.body)
    if kind == "post-then-body":
        return HttpResponse(repr(request.POST.dict()).encode() + request.body)
    if kind == "read-then-post":
        request.read(2)
        return HttpResponse(repr([request.POST.dict(), request.read()]))
    raise Http404


@csrf_exempt
def slash(request: HttpRequest) -> HttpResponse:
    return HttpResponse("with a slash")


# What Django makes of a response.


def with_status(request: HttpRequest, status: int) -> HttpResponse:
    reason = request.GET.get("reason")
    return HttpResponse("a body all the same", status=status, reason=reason)


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("cookies")
    response.set_cookie("plain", "one")
    response.set_cookie("quoted", 'a b;"c"', path="/cookies/", samesite="Lax")
    response.set_cookie(
        "dated", "x", max_age=3600, secure=True, httponly=True, domain="parity.example"
    )
    response.set_cookie("until", expires=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC))
    response.set_signed_cookie("signed", "value") if "signed" in request.GET else None
    response.delete_cookie("old")
    response["X-Many"] = "one, two"
    response["X-Latin"] = "caf\xe9"
    response["X-Coded"] = "caf\xe9 \u2615"
    response.headers["x-lower"] = "kept as written"
    return response


def stream(request: HttpRequest, kind: str) -> StreamingHttpResponse:
    """Streams; each says when it was closed."""
    large = "large" in request.GET

    def parts() -> Iterator[bytes | str]:
        try:
            for n in range(200 if large else 3):
                yield f"part {n} é\n" * (100 if large else 1)
                yield b""
            if kind == "raises-later":
                raise LookupError("a stream that raises")
        finally:
            CLOSED.append(f"{kind} generator")

    def raises() -> Iterator[bytes]:
        raise LookupError("a stream that raises at once")
        yield b""

    async def async_parts() -> AsyncIterator[bytes | str]:
        try:
            for n in range(200 if large else 3):
                yield f"async part {n} é\n" * (100 if large else 1)
                await asyncio.sleep(0)
            if kind == "async-raises-later":
                raise LookupError("an async stream that raises")
        finally:
            CLOSED.append(f"{kind} generator")

    found: Any = {
        "list": ["a", "b", b"c"],
        "empty": [],
        "raises": raises(),
        "sync": parts(),
        "raises-later": parts(),
        "async": async_parts(),
        "async-raises-later": async_parts(),
        "with-length": parts(),
    }.get(kind)
    if found is None:
        raise Http404(kind)
    response = StreamingHttpResponse(found, content_type="text/plain; charset=utf-8")
    if kind == "with-length":
        response["Content-Length"] = "30"
    response._resource_closers.append(lambda: CLOSED.append(f"{kind} response"))
    return response


class Closing(io.BytesIO):
    def close(self) -> None:
        if not self.closed:
            CLOSED.append("file")
        super().close()


def file(request: HttpRequest, kind: str) -> FileResponse:
    content = bytes(range(256)) * 1000
    attached, name = "attached" in request.GET, request.GET.get("name", "")
    if kind == "disk":
        path = FOLDER / "served.bin"
        if not path.exists():
            path.write_bytes(content)
        return FileResponse(path.open("rb"), as_attachment=attached, filename=name)
    opened = Closing(content)
    if kind == "offset":
        opened.seek(255_000)
    if kind == "unsized":
        return FileResponse(iter([b"a", b"b"]), as_attachment=attached, filename=name)
    return FileResponse(opened, as_attachment=attached, filename=name)


# Errors.


def raises(request: HttpRequest, kind: str) -> HttpResponse:
    if kind == "none":
        return None  # type: ignore[return-value]
    if kind == "coroutine":
        return asyncio.sleep(0)  # type: ignore[return-value]
    if kind == "broken-template":
        return TemplateResponse(request, "broken.html", {"value": Explosive()})
    if kind == "broken-render":
        return render(request, "broken.html", {"value": Explosive()})
    if kind == "no-template":
        return render(request, "there is none.html")
    if kind == "unencodable":
        return HttpResponse("\ud800")
    if kind == "bad-header":
        response = HttpResponse("x")
        response["X-Bad"] = "a\r\nb"
        return response
    raise {
        "lookup": LookupError("a view that raises"),
        "404": Http404("nothing here"),
        "403": exceptions.PermissionDenied("not you"),
        "400": exceptions.BadRequest("bad"),
        "suspicious": exceptions.SuspiciousOperation("suspicious"),
        "host": exceptions.DisallowedHost("a host"),
        "big": exceptions.RequestDataTooBig("too big"),
        "fields": exceptions.TooManyFieldsSent("too many"),
        "files": exceptions.TooManyFilesSent("too many"),
        "multipart": MultiPartParserError("multipart"),
        "unreadable": UnreadablePostError("unreadable"),
        "stop": StopIteration(1),
    }[kind]


class Explosive:
    def explode(self) -> str:
        raise ZeroDivisionError("in a template")


def server_error(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the project's own 500", status=500)


def marks(request: HttpRequest) -> TemplateResponse:
    response = TemplateResponse(request, "marks.html", {"said": "marks"})
    response.add_post_render_callback(lambda rendered: rendered.headers.__setitem__("X-Post", "1"))
    return response


# Async views.


@transaction.non_atomic_requests
async def async_view(request: HttpRequest, kind: str) -> HttpResponse:
    if kind == "gather":
        found = await asyncio.gather(*[asyncio.sleep(0, n) for n in range(3)])
        return HttpResponse(repr(found))
    if kind == "user":
        return HttpResponse((await request.auser()).get_username() or "nobody")
    if kind == "login":
        user = await aauthenticate(request, username="member", password="secret-member")
        await alogin(request, user)
        return HttpResponse("logged in")
    if kind == "orm":
        names = [group.name async for group in Group.objects.order_by("name")]
        return JsonResponse({"groups": names})
    if kind == "sync-orm":
        return HttpResponse(str(Group.objects.count()))  # SynchronousOnlyOperation
    if kind == "template":
        return TemplateResponse(request, "marks.html", {"said": "async"})
    if kind == "broken-template":
        return TemplateResponse(request, "broken.html", {"value": Explosive()})
    if kind == "timeout":
        async with asyncio.timeout(0):
            await asyncio.sleep(60)
    if kind == "none":
        return None  # type: ignore[return-value]
    if kind == "404":
        raise Http404("not in here")
    raise LookupError("an async view that raises")


async def atomic_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("never: ATOMIC_REQUESTS")


# The database.


def atomic(request: HttpRequest, kind: str) -> HttpResponse:
    if kind == "count":
        return JsonResponse({"names": list(Group.objects.order_by("name").values_list("name"))})
    in_block = connection.in_atomic_block
    Group.objects.create(name=request.GET["name"])
    transaction.on_commit(lambda: CLOSED.append(f"committed {request.GET['name']}"))
    if kind == "raises":
        raise LookupError("after a write")
    if kind == "404":
        raise Http404("after a write")
    if kind == "rollback":
        transaction.set_rollback(True)
    if kind == "template":
        return TemplateResponse(request, "broken.html", {"value": Explosive()})
    return HttpResponse(f"{kind} {in_block}", status=500 if kind == "answers-500" else 200)


# Conditional, cached, translated, in sessions.


@condition(
    etag_func=lambda request: '"the-tag"',
    last_modified_func=lambda request: datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
)
@csrf_exempt
def with_condition(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the whole thing")


@cache_page(60)
def cached(request: HttpRequest) -> HttpResponse:
    try:
        number = cache.incr("asked")
    except ValueError:
        cache.set("asked", number := 1)
    return HttpResponse(f"asked {number} times in {translation.get_language()}")


def activate(request: HttpRequest, language: str, zone: str) -> HttpResponse:
    translation.activate(language)
    timezone.activate(zone)
    return local(request)


def local(request: HttpRequest) -> HttpResponse:
    now = timezone.localtime(datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC))
    yes = translation.gettext("Yes")
    zone = timezone.get_current_timezone_name()
    return HttpResponse(f"{translation.get_language()} {yes} {zone} {now.isoformat()}")


def session(request: HttpRequest, kind: str) -> JsonResponse:
    what = request.GET.get("do")
    if what == "flush":
        request.session.flush()
    elif what == "cycle":
        request.session.cycle_key()
    elif what == "expire":
        request.session.set_expiry(300)
    elif what == "browser":
        request.session.set_expiry(0)
    elif what == "count":
        request.session["count"] = request.session.get("count", 0) + 1
    elif what == "fail":
        request.session["count"] = 99
        raise LookupError("a session that is not saved")
    return JsonResponse({"items": sorted(request.session.items())})


@transaction.non_atomic_requests
async def async_session(request: HttpRequest, kind: str) -> JsonResponse:
    await request.session.aset("count", await request.session.aget("count", 0) + 1)
    return JsonResponse({"items": sorted(await request.session.aitems())})


def message(request: HttpRequest) -> HttpResponse:
    messages.success(request, "saved")
    messages.warning(request, "<b>beware</b>")
    return redirect("/who/")


def who(request: HttpRequest) -> HttpResponse:
    return render(request, "who.html")


@login_required
def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"private to {request.user}")


@permission_required("auth.add_user", raise_exception=True)
def permitted(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"permitted to {request.user}")


@csrf_protect
def form(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return HttpResponse(f"got {request.POST['text']}")
    return render(request, "form.html")
