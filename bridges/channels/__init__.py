"""The API of Channels 4 on top of Greenroom: the same modules, names and error texts, on trio."""

DEFAULT_CHANNEL_LAYER = "default"

__all__ = ["DEFAULT_CHANNEL_LAYER"]
