"""
asgiref on trio: `sync_to_async` and `async_to_sync` in trio tasks and in their worker threads.

Knows asgiref and trio, no Django.
"""

from ...actors._early import set_django_up as _set_django_up
from ._flavour import Flavour as Flavour
from ._flavour import flavour_of as flavour_of
from ._flavour import on_asyncio as on_asyncio
from ._flavour import on_trio as on_trio
from ._flavour import set_default_flavour as set_default_flavour
from ._hop_settings import HopSettings as HopSettings
from ._hop_settings import configure_hops as configure_hops
from ._hops import Hops as Hops
from ._hops import current_hops as current_hops
from ._hops import hop as hop
from ._hops import open_hops as open_hops
from ._install import is_patched as is_patched
from ._install import patch_asgiref as patch_asgiref
from ._install import patch_problem as patch_problem
from ._install import unpatch_asgiref as unpatch_asgiref
from ._scopes import hop_scope as hop_scope
from ._side_loop import SideLoop as SideLoop

__all__ = [
    "Flavour",
    "HopSettings",
    "Hops",
    "SideLoop",
    "configure_hops",
    "current_hops",
    "flavour_of",
    "hop",
    "hop_scope",
    "is_patched",
    "on_asyncio",
    "on_trio",
    "open_hops",
    "patch_asgiref",
    "patch_problem",
    "set_default_flavour",
    "unpatch_asgiref",
]

_set_django_up()
