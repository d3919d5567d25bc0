# Whose session it is: what a Greenroom application has put into the scope of the request that
# opened it (cookies, session, user), if one has; nothing here knows Django.

from collections.abc import Mapping
from typing import Any

IDENTITY = "greenroom.identity"


def identity_of(scope: Mapping[str, Any]) -> Any | None:
    """Return whose connection *scope* is of, if somebody has seen to it."""
    return scope.get(IDENTITY)
