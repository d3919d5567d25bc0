# Views that are async, each three times: marked for trio, marked for asyncio, and not marked.
import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)

from greenroom.bridges.django import on_asyncio, on_trio
from greenroom.supervisor import current_root

from ._loops import both, clean_up, for_ever, nap, running_on
from .middleware import COUNTS, HELD

BLOCK = bytes(range(256)) * 256  # 64 KiB

View = Callable[..., Any]


async def hello(request: HttpRequest) -> HttpResponse:
    """Say which loop it is, and whether middleware and view share a thread."""

    async def name() -> str:
        await nap()
        return running_on()

    names = await both(name, name)
    return HttpResponse(f"{' '.join(names)} {request.method} {len(request.body)}")


async def fetch(request: HttpRequest) -> HttpResponse:
    """Ask another server twice at once: this very one."""
    address = f"http://{request.get_host()}/plain/"
    async with httpx.AsyncClient(trust_env=False) as client:

        async def get() -> str:
            return (await client.get(address)).text

        texts = await both(get, get)
    if running_on() == "asyncio":
        host, _, port = request.get_host().partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /plain/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        texts.append((await reader.read()).rpartition(b"\r\n")[2].decode())
        writer.close()
        await writer.wait_closed()
    return HttpResponse(f"{running_on()} {texts}")


async def wait(request: HttpRequest) -> HttpResponse:
    """Wait for ever, and clean up."""
    COUNTS["waiting"] += 1
    try:
        await for_ever()
    finally:
        await clean_up()
        COUNTS["wait cleaned up"] += 1
    return HttpResponse()


async def fail(request: HttpRequest) -> HttpResponse:
    """Raise."""
    await nap()
    secret = "of the view"
    raise LookupError(f"in an async view, {len(secret)} letters")


async def ticks(name: str, blocks: int | None = None) -> AsyncIterator[bytes]:
    """Yield blocks, *blocks* or without end."""
    COUNTS[f"{name} on {running_on()}"] += 1
    sent = 0
    try:
        while blocks is None or sent < blocks:
            sent += 1
            COUNTS[name] += 1
            yield BLOCK
            await nap()
    finally:
        await clean_up()
        COUNTS[f"{name} closed"] += 1


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Stream, by an async generator."""
    await nap()
    blocks = request.GET.get("blocks")
    return StreamingHttpResponse(ticks("blocks", int(blocks) if blocks else None))


async def slow_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Stream one block, and then wait for ever."""

    async def generate() -> AsyncIterator[bytes]:
        try:
            yield b"the beginning"
            COUNTS["waiting in stream"] += 1
            await for_ever()
        finally:
            await clean_up()
            COUNTS["blocks closed"] += 1

    return StreamingHttpResponse(generate())


async def sync_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Stream, by a sync generator that an async view has made."""
    await nap()
    return StreamingHttpResponse(sync_ticks())


async def file(request: HttpRequest) -> FileResponse:
    """Send a file, from an async view."""
    await nap()
    return large(request)


async def orm(request: HttpRequest) -> HttpResponse:
    """Ask the database, by one of Django's async functions."""
    return HttpResponse(f"{await ContentType.objects.acount()} kinds")


async def stubborn(request: HttpRequest) -> StreamingHttpResponse:
    """Leave a task that does not end, stream what does not close, and say how often it was told."""
    KEPT.add(asyncio.create_task(refuses(), name="a stubborn task"))

    async def generate() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await refuses()

    return StreamingHttpResponse(generate())


KEPT: set[object] = set()


async def refuses() -> None:
    """Wait for ever, whoever cancels it."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1)


def sync_ticks() -> Iterator[bytes]:
    """Yield blocks without end."""
    try:
        while True:
            COUNTS["blocks"] += 1
            yield BLOCK
    finally:
        COUNTS["blocks closed"] += 1


def endless(request: HttpRequest) -> StreamingHttpResponse:
    """Stream without end, from a sync view."""
    return StreamingHttpResponse(sync_ticks())


def large(request: HttpRequest) -> FileResponse:
    """Send a file of a size that is made at the first time."""
    return FileResponse(large_file(int(request.GET["size"])).open("rb"))


def large_file(size: int) -> Path:
    """A file of *size* bytes."""
    path = Path(settings.FOLDER) / f"{size}.bin"
    if not path.exists():
        with path.open("wb") as new:
            for at in range(0, size, len(BLOCK)):
                new.write(BLOCK[: size - at])
    return path


def plain(request: HttpRequest) -> HttpResponse:
    """Be the other server."""
    return HttpResponse("plain")


def go_on(request: HttpRequest) -> HttpResponse:
    """Let go of the response that is held back."""
    HELD.set()
    return HttpResponse()


def facts(request: HttpRequest) -> JsonResponse:
    """What has happened so far, and what goes on."""
    from .asgi import django

    now = django.pool.statistics()
    return JsonResponse({
        "pid": os.getpid(),
        "counts": dict(COUNTS),
        "running": now.running,
        "parked": now.parked,
        "abandoned": len(now.abandoned),
        "files": sum(_is_ours(fd) for fd in Path("/proc/self/fd").iterdir()),
        "threads": sorted(each.name for each in threading.enumerate()),
        "requests": _requests(current_root().snapshot_blocking().as_dict()),
    })


def _is_ours(descriptor: Path) -> bool:
    with suppress(OSError):
        return descriptor.readlink().suffix == ".bin"
    return False


def _requests(node: dict[str, Any]) -> list[Any]:
    found = [] if "request" not in node.get("facts", {}) else [node["facts"]]
    for child in node.get("children", ()):
        found += _requests(child)
    return found


def clear(request: HttpRequest) -> HttpResponse:
    """Count from nothing."""
    COUNTS.clear()
    return HttpResponse()


ASYNC: list[Callable[..., Any]] = [
    hello, fetch, wait, fail, stream, slow_stream, sync_stream, file, orm, stubborn
]  # fmt: skip


def marked(view: View, mark: Callable[[View], View]) -> View:
    """The same view with a mark of its own."""

    async def run(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await view(request)
        return response

    return mark(run)


FLAVOURS: dict[str, Callable[[View], View]] = {
    "trio": lambda view: marked(view, on_trio),
    "asyncio": lambda view: marked(view, on_asyncio),
    "bare": lambda view: view,
}
