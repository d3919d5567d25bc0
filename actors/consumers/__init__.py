"""Consumers: actors that live as long as one connection."""

from ._consumer import ASGIApplication as ASGIApplication
from ._consumer import Consumer as Consumer
from ._event_history import EventHistory as EventHistory
from ._event_stream import EventStreamConsumer as EventStreamConsumer
from ._frames import Frame as Frame
from ._http import HttpConsumer as HttpConsumer
from ._invalid import InvalidContent as InvalidContent
from ._json import JsonWebsocketConsumer as JsonWebsocketConsumer
from ._json_handlers import receives as receives
from ._long_poll import LongPollConsumer as LongPollConsumer
from ._websocket import WebsocketConsumer as WebsocketConsumer

__all__ = [
    "ASGIApplication",
    "Consumer",
    "EventHistory",
    "EventStreamConsumer",
    "Frame",
    "HttpConsumer",
    "InvalidContent",
    "JsonWebsocketConsumer",
    "LongPollConsumer",
    "WebsocketConsumer",
    "receives",
]
