# Putting our connections into hypercorn's trio worker.
#
# The worker looks the name TCPServer up when it begins to serve, after it has imported the
# application. So replacing the name on import covers every way of starting it.
#
# Everything that is overridden is hypercorn's inside. A version that nobody has looked at, or
# one that lacks what is needed, is left as it is, with a warning and a system check.

import logging
import os
from importlib.metadata import version
from typing import Any, cast

import hypercorn.trio.run
from hypercorn.trio.tcp_server import TCPServer

from . import _poller
from ._connection import FastTCPServer
from ._guard import GuardedTCPServer
from ._limits import Limits

logger = logging.getLogger("greenroom.hypercorn")

KNOWN = ("0.18.",)
"""Versions of hypercorn, by their beginnings, whose connection may be replaced."""
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
    problem = unknown(installed or version("hypercorn"))
    if problem:
        logger.warning("%s", problem)
        return False
    if limits is not None:
        FastTCPServer.limits = limits
    module = cast("Any", hypercorn.trio.run)
    if module.TCPServer is TCPServer:
        off = os.environ.get(OFF_SWITCH, "") == "0"
        if not _poller.AVAILABLE and not off:
            logger.warning("this system has no epoll: HTTP and WebSocket are left to hypercorn")
            off = True
        module.TCPServer = GuardedTCPServer if off else FastTCPServer
    return True


def unknown(installed: str) -> str:
    """Say what it means that hypercorn *installed* is none that is known; empty if it is."""
    if installed.startswith(KNOWN):
        return ""
    known = ", ".join(f"{each}*" for each in KNOWN)
    return (
        f"hypercorn {installed} is unknown to this Greenroom (it knows {known}): its connections"
        " are left as they are, and an error in one may end the server"
    )
