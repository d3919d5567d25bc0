# The pages of the console, as an admin site has them below <admin>/greenroom/. What acts has its
# URLs in _all_urls.py.

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from ._feed import feed_view
from ._pages_actor import actor
from ._pages_connections import connections, groups
from ._pages_lost import dead_letters, events
from ._pages_presence import presence
from ._pages_processes import processes
from ._pages_threads import threads
from ._pages_tree import tree


def urlpatterns(site: AdminSite) -> list[URLPattern]:
    """Return the pages that read, and their feed, as *site* has them."""
    return [
        path("", tree.on(site), name="greenroom_tree"),
        path("actor/", actor.on(site), name="greenroom_actor"),
        path("connections/", connections.on(site), name="greenroom_connections"),
        path("groups/", groups.on(site), name="greenroom_groups"),
        path("presence/", presence.on(site), name="greenroom_presence"),
        path("dead-letters/", dead_letters.on(site), name="greenroom_dead_letters"),
        path("threads/", threads.on(site), name="greenroom_threads"),
        path("processes/", processes.on(site), name="greenroom_processes"),
        path("events/", events.on(site), name="greenroom_events"),
        path("feed/", feed_view(site), name="greenroom_feed"),
    ]
