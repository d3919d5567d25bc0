"""Channel layers: `get_channel_layer`, the base class, and the layer of one process."""

from ._attachments import LayerStatistics
from ._layer_base import BaseChannelLayer
from ._layer_manager import (
    DEFAULT_CHANNEL_LAYER,
    ChannelLayerManager,
    channel_layers,
    get_channel_layer,
)
from ._layer_memory import InMemoryChannelLayer

# Projects import them from here, as from Channels.
from .exceptions import ChannelFull as ChannelFull
from .exceptions import InvalidChannelLayerError as InvalidChannelLayerError

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "BaseChannelLayer",
    "ChannelLayerManager",
    "InMemoryChannelLayer",
    "LayerStatistics",
    "channel_layers",
    "get_channel_layer",
]
