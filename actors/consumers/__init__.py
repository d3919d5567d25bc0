"""Consumers: actors that live as long as one connection."""

from ._consumer import ASGIApplication as ASGIApplication
from ._consumer import Consumer as Consumer
from ._event_history import EventHistory as EventHistory
from ._event_stream import EventStreamConsumer as EventStreamConsumer
from ._frames import Frame as Frame
from ._http import HttpConsumer as HttpConsumer
from ._websocket import WebsocketConsumer as WebsocketConsumer

__all__ = [
    "ASGIApplication",
    "Consumer",
    "EventHistory",
    "EventStreamConsumer",
    "Frame",
    "HttpConsumer",
    "WebsocketConsumer",
]
