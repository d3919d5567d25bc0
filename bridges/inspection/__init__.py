"""What can be seen of a running tree, and done to it, as plain data."""

from ._inspector import Inspector as Inspector
from ._question import BadQuestion as BadQuestion

__all__ = ["BadQuestion", "Inspector"]
