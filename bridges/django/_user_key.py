# Whose a connection is, for `connections_per_user`: asked before it has a slot, so that who has too
# many is refused before any handler runs.

from collections.abc import Mapping
from typing import Any

from ...actors._ports import IDENTITY
from ...actors._unsaved import in_worker
from ...supervisor._current import CURRENT
from ._book import book_of
from ._identity import Identity
from ._users import value_of

Scope = Mapping[str, Any]


async def user_key(scope: Scope) -> str | None:
    """
    Return the primary key of the user of *scope*'s connection, None if nobody has logged in.

    Looked up in a worker thread, once: the consumer finds it known. Without a session's cookie, or
    behind a token, there is nothing to look up. A checkpoint if there is.
    """
    identity: Identity | None = scope.get(IDENTITY)
    if identity is None:  # of no Greenroom()
        return None
    if identity.user_value is None and not identity.is_nobody(scope):
        root = CURRENT.get()
        assert root is not None, "a connection is served by a tree"
        book = book_of(root)
        return await in_worker(book, lambda: _value(identity, scope), "of whose connection it is")
    return identity.user_value


def _value(identity: Identity, scope: Scope) -> str | None:
    user = identity.load_user(scope, fresh=False)
    return value_of(user) if getattr(user, "is_authenticated", False) else None
