# The pages of the console, as an admin site has them below <admin>/greenroom/. What acts has its
# URLs in _site.py.

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from . import _pages_lists as lists
from ._pages_actor import actor
from ._pages_processes import processes
from ._pages_tree import tree


def urlpatterns(site: AdminSite) -> list[URLPattern]:
    """Return the pages that read, as *site* has them."""
    return [
        path("", tree.on(site), name="greenroom_tree"),
        path("actor/", actor.on(site), name="greenroom_actor"),
        path("connections/", lists.connections.on(site), name="greenroom_connections"),
        path("groups/", lists.groups.on(site), name="greenroom_groups"),
        path("dead-letters/", lists.dead_letters.on(site), name="greenroom_dead_letters"),
        path("threads/", lists.threads.on(site), name="greenroom_threads"),
        path("processes/", processes.on(site), name="greenroom_processes"),
        path("events/", lists.events.on(site), name="greenroom_events"),
    ]
