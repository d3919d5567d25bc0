# Reading a request's body, before a view is run: a slow uploader holds no thread.
#
# As in Django's own handler the body goes to a SpooledTemporaryFile: in memory up to
# FILE_UPLOAD_MAX_MEMORY_SIZE, then on disk. What the view may read of it (the limits
# DATA_UPLOAD_...) is checked by Django when it reads. Writes to disk are made in a
# worker thread, WRITE_SIZE at a time, and the next part is received only after that,
# so an upload never takes more memory than these two sizes together.

import io
import tempfile
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import IO, Any, cast

from django.conf import settings

Scope = MutableMapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
InThread = Callable[[Callable[[], object]], Awaitable[object]]

WRITE_SIZE = 262144
"""Bytes of an upload that are gathered for one write to disk."""


async def read_body(receive: Receive, in_thread: InThread) -> IO[bytes] | None:
    """
    Receive the whole body into a spooled file, positioned at its start.

    Args:
        receive: The request's.
        in_thread: Runs a function in a worker thread and waits for it.

    Returns:
        The file, which the caller closes; None if the client left before the end.
        A cancellation closes the file.
    """
    limit = max(1, settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # 0 would mean "never on disk"
    spooled = tempfile.SpooledTemporaryFile(  # noqa: SIM115  # closed by the caller
        max_size=limit, mode="w+b", dir=settings.FILE_UPLOAD_TEMP_DIR
    )
    body = cast("IO[bytes]", spooled)
    try:
        if await _fill(body, limit, receive, in_thread):
            return body
    except BaseException:
        body.close()
        raise
    body.close()
    return None


async def _fill(body: IO[bytes], limit: int, receive: Receive, in_thread: InThread) -> bool:
    in_memory = True
    size = 0
    gathered = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        chunk: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        size += len(chunk)
        in_memory = in_memory and size <= limit
        if in_memory:
            body.write(chunk)
        else:
            gathered += chunk
            if len(gathered) >= WRITE_SIZE or not more:
                await in_thread(partial(body.write, gathered))
                gathered = bytearray()
        if not more:
            if in_memory:
                body.seek(0)
            else:
                await in_thread(partial(body.seek, 0))  # flushes
            return True


def with_length(scope: Scope, body: IO[bytes]) -> Scope:
    """
    Return *scope* with the length of *body* among its headers.

    A chunked request has none, and Django then takes a form for empty and a body for
    within DATA_UPLOAD_MAX_MEMORY_SIZE. If a chunked request says one, it is not true.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    names = {name for name, _ in headers}
    if b"content-length" in names:
        if b"transfer-encoding" not in names:
            return scope
        headers = [header for header in headers if header[0] != b"content-length"]
        scope = {**scope, "headers": headers}
    body.seek(0, io.SEEK_END)
    size = body.tell()
    body.seek(0)
    if size:
        scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % size)]}
    return scope
