# What a tree is made of by its options, and how each of its connections is followed where that
# is asked for. The one place that knows of tracing; without it nothing of that is imported.

from collections.abc import Awaitable, MutableMapping
from typing import Any

from ...supervisor import Options
from ...supervisor._kinds import Around, Kinds, Serve

FOLLOWED = "greenroom.followed"
"""In a scope whose connection is followed already: an application may be inside of another."""


def kinds_of(options: Options) -> Kinds | None:
    """
    Return what a tree with *options* is made of; None for what is the default in this process.

    Raises:
        ImportError: The option ``tracing`` is set without its extra; the message says what to do.
    """
    if not options.tracing:
        return None
    from ..tracing._kinds import TracedKinds

    return TracedKinds()


def followed(
    around: Around, serve: Serve, scope: MutableMapping[str, Any], receive: Any, send: Any
) -> Awaitable[None]:
    """Have the connection of *scope* served by *serve* inside of *around*, once."""
    scope[FOLLOWED] = True
    return around(serve, scope, receive, send)
