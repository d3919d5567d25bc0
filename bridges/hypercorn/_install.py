# Putting our connections into hypercorn's trio worker.
#
# The worker looks the names TCPServer and UDPServer up when it begins to serve, after it has
# imported the application. So replacing them on import covers every way of starting it.
#
# Everything that is overridden is hypercorn's inside. A version that nobody has looked at, or
# one that lacks what is needed (see _internals.py), is left as it is, with a warning and a system
# check. So what derives from hypercorn's classes is imported here once that is known, and nowhere
# else.

import logging
import os
from functools import cache
from importlib import import_module
from typing import Any

from . import _poller
from ._internals import problem
from ._limits import Limits

logger = logging.getLogger("greenroom.hypercorn")

OFF_SWITCH = "GREENROOM_FAST_CONNECTIONS"
"""Environment variable: ``0`` leaves HTTP and WebSocket to hypercorn."""


def install(limits: Limits | None = None, *, installed: str | None = None) -> bool:
    """
    Have hypercorn's trio worker use Greenroom's connections; say whether it does.

    Importing Greenroom's bridges has done it already. For an ASGI application that is none of
    Greenroom's, call it in the module that hypercorn imports. A second call changes
    the limits and nothing else. Not a checkpoint.

    Args:
        limits: For applications that bring none of their own.
        installed: hypercorn's version; what is installed if it is left out.
    """
    found = problem(installed)
    if found:
        _warn(found)
        return False
    _put_in_place(limits)
    return True


def _put_in_place(limits: Limits | None) -> None:
    from hypercorn.trio.tcp_server import TCPServer
    from hypercorn.trio.udp_server import UDPServer
    from hypercorn.trio.worker_context import WorkerContext

    from ._connection import FastTCPServer
    from ._guard import GuardedTCPServer
    from ._quic import GuardedUDPServer
    from ._worker import KnownContext

    if limits is not None:
        FastTCPServer.limits = limits
    worker: Any = import_module("hypercorn.trio.run")
    if worker.TCPServer is TCPServer:
        off = os.environ.get(OFF_SWITCH, "") == "0"
        if not _poller.AVAILABLE and not off:
            logger.warning("this system has no epoll: HTTP and WebSocket are left to hypercorn")
            off = True
        worker.TCPServer = GuardedTCPServer if off else FastTCPServer
    if worker.UDPServer is UDPServer:
        worker.UDPServer = GuardedUDPServer
    if worker.WorkerContext is WorkerContext:
        worker.WorkerContext = KnownContext


@cache
def _warn(text: str) -> None:
    """Say *text*, once."""
    logger.warning("%s", text)
