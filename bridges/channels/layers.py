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
from .exceptions import ChannelFull, InvalidChannelLayerError

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "BaseChannelLayer",
    "ChannelFull",
    "ChannelLayerManager",
    "InMemoryChannelLayer",
    "InvalidChannelLayerError",
    "LayerStatistics",
    "channel_layers",
    "get_channel_layer",
]
