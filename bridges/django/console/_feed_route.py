# The way to the feed: its URL is one of the admin site's, which Django's resolver finds, so it
# needs no route of its own. Elsewhere, where a view is asked for it, the page has to poll.

from typing import Any

from django.apps import apps
from django.urls import Resolver404, resolve
from django.utils import translation

from ...asgi import Match, Router
from ...asgi._routing import Scope
from .._routes import path_below_root

ENDING = "/greenroom/feed/"


class FeedRouter:
    """
    A router that knows the way to the feed, and else what *inner* knows.

    Args:
        inner: Another router; None where there is none.
    """

    def __init__(self, inner: Router | None) -> None:
        self._inner = inner

    def match(self, scope: Scope) -> Match | None:
        """Return where the path of *scope* leads; None if *inner* does not know either."""
        if scope["path"].endswith(ENDING) and (found := _feed_at(path_below_root(scope))):
            return found
        return None if self._inner is None else self._inner.match(scope)


def with_feed(inner: Router | None) -> Router | None:
    """Return *inner*, with the way to the feed where there is an admin site that may have one."""
    has_admin = apps.is_installed("django.contrib.admin")
    has_console = apps.is_installed("greenroom.bridges.django")
    return FeedRouter(inner) if has_admin and has_console else inner


def _feed_at(path: str) -> Match | None:
    language = translation.get_language_from_path(path) or translation.get_language()
    try:
        with translation.override(language):
            view: Any = resolve(path).func
    except Resolver404:
        return None
    consumer = getattr(view, "greenroom_consumer", None)
    if consumer is None:
        return None
    return Match(consumer, kwargs={"site": view.greenroom_site}, name="console-feed")
