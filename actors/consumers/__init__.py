"""Consumers: actors that live as long as one connection."""

from ._frames import Frame as Frame
from ._websocket import WebsocketConsumer as WebsocketConsumer

__all__ = ["Frame", "WebsocketConsumer"]
