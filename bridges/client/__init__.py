"""Actors that dial out: a connection to a WebSocket server, held and made anew."""

from ._client import WebsocketClient as WebsocketClient
from ._errors import ConnectionLost as ConnectionLost
from ._plan import ClientSettings as ClientSettings

__all__ = ["ClientSettings", "ConnectionLost", "WebsocketClient"]
