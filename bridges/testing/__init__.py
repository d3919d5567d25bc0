"""
Tools for tests, ours and yours: drivers, a real server, a virtual clock, an engine suite.

Nothing is imported before it is asked for: see _lazy.py.
"""

import typing

from ._lazy import importer as _importer

if typing.TYPE_CHECKING:
    from ._cases import GreenroomLiveServerTestCase as GreenroomLiveServerTestCase
    from ._cases import GreenroomTestCase as GreenroomTestCase
    from ._clock import virtual_clock as virtual_clock
    from ._driver import ServerDriver as ServerDriver
    from ._driver import serve as serve
    from ._errors import HandshakeRefused as HandshakeRefused
    from ._errors import NothingCame as NothingCame
    from ._errors import NotStopped as NotStopped
    from ._errors import ProtocolViolation as ProtocolViolation
    from ._errors import ResponseCut as ResponseCut
    from ._errors import SocketClosed as SocketClosed
    from ._errors import StartupFailed as StartupFailed
    from ._errors import StreamEnded as StreamEnded
    from ._errors import StreamRefused as StreamRefused
    from ._event_decoder import StreamEvent as StreamEvent
    from ._event_stream import EventStreamDriver as EventStreamDriver
    from ._http_answer import HttpAnswer as HttpAnswer
    from ._live import BlockingLiveServer as BlockingLiveServer
    from ._live import LiveServer as LiveServer
    from ._live import live_server as live_server
    from ._long_poll import LongPollAnswer as LongPollAnswer
    from ._long_poll import LongPollDriver as LongPollDriver
    from ._request import RequestDriver as RequestDriver
    from ._running import BlockingServer as BlockingServer
    from ._running import BlockingWebsocket as BlockingWebsocket
    from ._running import open_server as open_server
    from ._running import run_server as run_server
    from ._sharing import share_connections as share_connections
    from ._slow import SlowReader as SlowReader
    from ._websocket import WebsocketDriver as WebsocketDriver
    from .engine_suite import DistributedEngineSuite as DistributedEngineSuite
    from .engine_suite import EngineSuite as EngineSuite

__all__ = [
    "BlockingLiveServer",
    "BlockingServer",
    "BlockingWebsocket",
    "DistributedEngineSuite",
    "EngineSuite",
    "EventStreamDriver",
    "GreenroomLiveServerTestCase",
    "GreenroomTestCase",
    "HandshakeRefused",
    "HttpAnswer",
    "LiveServer",
    "LongPollAnswer",
    "LongPollDriver",
    "NotStopped",
    "NothingCame",
    "ProtocolViolation",
    "RequestDriver",
    "ResponseCut",
    "ServerDriver",
    "SlowReader",
    "SocketClosed",
    "StartupFailed",
    "StreamEnded",
    "StreamEvent",
    "StreamRefused",
    "WebsocketDriver",
    "live_server",
    "open_server",
    "run_server",
    "serve",
    "share_connections",
    "virtual_clock",
]

__getattr__ = _importer(
    __name__,
    {
        "BlockingLiveServer": "_live",
        "GreenroomLiveServerTestCase": "_cases",
        "GreenroomTestCase": "_cases",
        "LiveServer": "_live",
        "SlowReader": "_slow",
        "live_server": "_live",
        "BlockingServer": "_running",
        "BlockingWebsocket": "_running",
        "DistributedEngineSuite": "engine_suite",
        "EngineSuite": "engine_suite",
        "EventStreamDriver": "_event_stream",
        "HandshakeRefused": "_errors",
        "RequestDriver": "_request",
        "ResponseCut": "_errors",
        "StreamEnded": "_errors",
        "StreamEvent": "_event_decoder",
        "StreamRefused": "_errors",
        "HttpAnswer": "_http_answer",
        "LongPollAnswer": "_long_poll",
        "LongPollDriver": "_long_poll",
        "NotStopped": "_errors",
        "NothingCame": "_errors",
        "ProtocolViolation": "_errors",
        "ServerDriver": "_driver",
        "SocketClosed": "_errors",
        "StartupFailed": "_errors",
        "WebsocketDriver": "_websocket",
        "open_server": "_running",
        "run_server": "_running",
        "serve": "_driver",
        "share_connections": "_sharing",
        "virtual_clock": "_clock",
    },
)
