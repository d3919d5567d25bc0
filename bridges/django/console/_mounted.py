# Which admin sites a project has in its URLs. What stands beside them, with sessions of its own
# accord, lets nobody in whom all of them keep out: one may ask for a second factor, say. Imports no
# admin: there need be none.

from typing import Any
from weakref import WeakSet

_sites: WeakSet[Any] = WeakSet()


def mounted(site: Any) -> None:
    """Take note that the URLs of *site* are in use."""
    _sites.add(site)


def may_enter_some(request: Any) -> bool:
    """Say whether one of the admin sites lets who makes *request* in; yes if there is none."""
    sites = list(_sites)
    return not sites or any(site.has_permission(request) for site in sites)
