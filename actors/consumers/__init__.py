"""Consumers: actors that live as long as one connection."""

from ._consumer import ASGIApplication as ASGIApplication
from ._consumer import Consumer as Consumer
from ._frames import Frame as Frame
from ._websocket import WebsocketConsumer as WebsocketConsumer

__all__ = ["ASGIApplication", "Consumer", "Frame", "WebsocketConsumer"]
