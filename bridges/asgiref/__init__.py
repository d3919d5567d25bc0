"""
asgiref on trio: `sync_to_async` and `async_to_sync` in trio tasks and in their worker threads.

Knows asgiref and trio, no Django.
"""

from ._flavour import Flavour as Flavour
from ._flavour import flavour_of as flavour_of
from ._flavour import on_asyncio as on_asyncio
from ._flavour import on_trio as on_trio
from ._hops import Hops as Hops
from ._hops import current_hops as current_hops
from ._hops import hop as hop
from ._hops import hop_scope as hop_scope
from ._hops import open_hops as open_hops
from ._install import install as install
from ._install import installed as installed
from ._install import problem as problem
from ._install import uninstall as uninstall
from ._side_loop import SideLoop as SideLoop

__all__ = [
    "Flavour",
    "Hops",
    "SideLoop",
    "current_hops",
    "flavour_of",
    "hop",
    "hop_scope",
    "install",
    "installed",
    "on_asyncio",
    "on_trio",
    "open_hops",
    "problem",
    "uninstall",
]
