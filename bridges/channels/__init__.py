"""The API of Channels 4 on top of ours, module for module: change the import, keep the code."""

from ._install import install_as_channels as install_as_channels

DEFAULT_CHANNEL_LAYER = "default"

__all__ = ["DEFAULT_CHANNEL_LAYER", "install_as_channels"]
__version__ = "4.3.2"  # of the API: packages ask for it
