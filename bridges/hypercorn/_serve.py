# Starting hypercorn's own trio worker from Python, for `manage.py serve`.
#
# One worker runs in this process through hypercorn's public API, so that what fails is an
# exception here and not a traceback in a child. Several run as hypercorn's own command
# runs them. Drain and process supervision are not built yet.

import errno
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import hypercorn.trio
import trio
from hypercorn.config import Config

from ...actors._lowlevel import LoopThread
from ._internals import find
from ._startup import serving

DEFAULT_PORT = 8000
LifespanFailureError: type[Exception] = find("hypercorn.utils", "LifespanFailureError")
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class ServeError(Exception):
    """The server can't start, or its application would not; the text is one line."""


def full_address(bind: str) -> str:
    """
    Return *bind* as ``host:port``: ``8000``, ``:8000`` and ``localhost`` are filled up.

    Raises:
        ServeError: it is none of these, nor ``unix:path`` or ``fd://number``.
    """
    if bind.startswith(("unix:", "fd://")):
        return bind
    if bind.isdecimal():
        bind = f":{bind}"
    host, colon, port = bind.rpartition(":")
    if not colon or bind.endswith("]"):
        host, port = bind, str(DEFAULT_PORT)
    if not port.isdecimal() or int(port) > 65535:
        raise ServeError(f"--bind {bind!r} is no address: write it like 127.0.0.1:8000.")
    return f"{host or '127.0.0.1'}:{port}"


def refuse_taken(binds: Sequence[str]) -> None:
    """
    Find out whether each address of *binds* is free, and say who has it if it is not.

    Raises:
        ServeError: one is taken, forbidden, or not of this machine.
    """
    for bind in binds:
        if bind.startswith(("unix:", "fd://")):
            continue
        host, _, port = bind.rpartition(":")
        try:
            _try_to_bind(host.strip("[]"), int(port))
        except OSError as error:
            raise ServeError(_explain(bind, int(port), error)) from error


def _try_to_bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as hypercorn does
        probe.bind((host, port))


def _explain(bind: str, port: int, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{bind} needs a privilege (a port below 1024). Try --bind :{port + 8000}."
    if error.errno != errno.EADDRINUSE:
        return f"{bind} can't be used: {error.strerror or error}."
    owner = who_listens(port)
    by = f" by {owner}" if owner else ""
    return f"{bind} is in use{by}. Stop that program, or choose another port: --bind :{port + 1}."


def who_listens(port: int) -> str:
    """
    Name the process that listens on TCP *port*, or return "" where that can't be seen.

    Only Linux shows it, and only for one's own processes.
    """
    inodes = set(_listening_inodes(port))
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        if not inodes.isdisjoint(_open_files(process)):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
            return f"process {process.name} ({command.decode(errors='replace').strip():.80})"
    return ""


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # another user's, or it has just ended
        for entry in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                yield str(entry.readlink())


def _listening_inodes(port: int) -> Iterator[str]:
    listening = "0A"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def serve(application: Callable[..., Any], path: str, binds: Sequence[str], workers: int) -> int:
    """
    Serve until a signal (SIGINT, SIGTERM) says stop; return the exit status. Blocks.

    Args:
        application: The ASGI application; used if there is one worker.
        path: Where other worker processes import it, such as ``mysite.asgi:application``.
        binds: Addresses as `full_address` returns them.
        workers: How many processes; with one it is this process.

    Raises:
        ServeError: an address is taken, or the application's start-up failed.
    """
    refuse_taken(binds)
    config = Config()
    config.bind = list(binds)
    config.worker_class = "trio"
    config.application_path = path
    config.workers = workers
    if workers > 1:
        from hypercorn.run import run

        return run(config)
    try:
        with serving():
            trio.run(_serve_here, application, config)
    except* LifespanFailureError as group:
        raise ServeError(f"the application did not start: {first_of(group)}") from None
    except* OSError as group:
        raise ServeError(f"the server did not start: {first_of(group)}") from None
    return 0


async def _serve_here(application: Callable[..., Any], config: Config) -> None:
    loop, stop = LoopThread.current(), trio.Event()

    def told_to_stop(*_: object) -> None:
        loop.call_soon(stop.set, idempotent=True)

    # Ours from before the start on, so that a tree does not take them for unattended.
    before = {number: signal.signal(number, told_to_stop) for number in _STOPPING}
    try:
        run: Callable[..., Awaitable[None]] = cast("Any", hypercorn.trio).serve
        await run(application, config, shutdown_trigger=stop.wait, mode="asgi")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def first_of(error: BaseException) -> str:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return first_of(inner[0]) if inner else str(error) or type(error).__name__
