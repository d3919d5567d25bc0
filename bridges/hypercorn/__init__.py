"""Everything that knows hypercorn: a connection handler of our own for its trio worker."""

from ._install import install as install
from ._limits import Limits as Limits

__all__ = ["Limits", "install"]

install()
