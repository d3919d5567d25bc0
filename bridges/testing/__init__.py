"""Tools for tests, ours and yours: an in-process driver, a virtual clock, an engine suite."""

from ._clock import virtual_clock as virtual_clock
from ._driver import HttpAnswer as HttpAnswer
from ._driver import ServerDriver as ServerDriver
from ._driver import serve as serve
from ._errors import HandshakeRefused as HandshakeRefused
from ._errors import SocketClosed as SocketClosed
from ._errors import StartupFailed as StartupFailed
from ._sharing import share_connections as share_connections
from ._websocket import WebsocketDriver as WebsocketDriver
from .engine_suite import DistributedEngineSuite as DistributedEngineSuite
from .engine_suite import EngineSuite as EngineSuite

__all__ = [
    "DistributedEngineSuite",
    "EngineSuite",
    "HandshakeRefused",
    "HttpAnswer",
    "ServerDriver",
    "SocketClosed",
    "StartupFailed",
    "WebsocketDriver",
    "serve",
    "share_connections",
    "virtual_clock",
]
