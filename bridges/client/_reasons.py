# What is said of an error that ended a connection, or kept it from being made.
#
# It stands in the reason of a loss, and from there in logs, events and spans. What h11 and wsproto
# say quotes the header or the line that they can't take, which may be a secret of either side: of
# theirs the class is named, and no more.
#
# Invariants, each with a test of that name in tests/bridges/tracing/test_dialling_refused.py:
#   NO CONTENT  what either side has sent is not in a loss, nor in its cause.

from __future__ import annotations

from collections.abc import Iterator

import h11
import wsproto.utilities

_LOCAL = (h11.LocalProtocolError, wsproto.utilities.LocalProtocolError)
_REMOTE = (h11.RemoteProtocolError, wsproto.utilities.RemoteProtocolError)


def reason_of(error: BaseException) -> tuple[str, BaseException | None]:
    """Return in words why *error* was raised, and what may be shown as the cause."""
    chain = list(_chain(error))
    against = [each for each in chain if isinstance(each, _LOCAL + _REMOTE)]
    if not against:
        return f"{type(chain[-1]).__name__}: {chain[-1]}", error
    first = against[-1]
    name = type(first).__name__
    if isinstance(first, _REMOTE):
        return f"what the server has sent breaks the protocol ({name})", None
    where = ": see headers and subprotocols" if isinstance(first, h11.LocalProtocolError) else ""
    return f"what was to be sent breaks the protocol ({name}){where}", None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it began with: the library words some troubles as others."""
    below: BaseException | None = error
    while below is not None:
        yield below
        if isinstance(below, OSError):  # those say what they mean
            return
        below = below.__cause__ or below.__context__
