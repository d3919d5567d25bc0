# All connections of one user in this process: who they are, and an end to them.
#
# Also those whose user nobody has looked up yet: their session keys stand in their cookies, and
# the sessions are read a hundred at a time. Other processes have connections of their own, which
# these functions don't reach.

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_out

from ...actors import ActorRef, WrongSide
from ...actors._job import current_job
from ...actors._lowlevel import inside_trio
from ...actors._unsaved import in_worker
from ...actors.consumers._websocket import check_close
from ...supervisor._current import CURRENT
from ._book import BATCH, Book, all_books, book_of
from ._identity import Identity
from ._revalidation import sessions_of
from ._users import value_of

_DISCONNECTED = "disconnected, as all of its user's"


def connections_of(user: Any) -> list[ActorRef]:
    """
    Return the references of all open connections of *user* in this process. Blocks for queries.

    Args:
        user: A user, or a user's primary key.

    Raises:
        WrongSide: Called on trio's thread: there it is ``await aconnections_of(user)``.
        TimeoutError: The loop did not answer within five seconds.
    """
    _refuse_on_trio("connections_of", "await aconnections_of(...)")
    return [each.slot.ref for each in list(_found(user)) if each.is_open]


def disconnect_user(user: Any, code: int = 4401, reason: str = "") -> int:
    """
    Close all connections of *user* in this process, and return how many. Blocks for queries.

    Each is asked to end as by the server: its running handler may finish, ``disconnect`` runs.
    Sockets whose user nobody has looked up yet are found as well.

    Args:
        user: A user, or a user's primary key.
        code: The close code of WebSockets.
        reason: And their reason; at most 123 bytes in UTF-8.

    Raises:
        WrongSide: Called on trio's thread: there it is ``await adisconnect_user(user)``.
        ValueError: A code or reason that may not be sent.
        TimeoutError: The loop did not answer within five seconds.
    """
    check_close(code, reason)
    _refuse_on_trio("disconnect_user", "await adisconnect_user(...)")
    return sum(identity.expel(_DISCONNECTED, code, reason) for identity in list(_found(user)))


async def aconnections_of(user: Any) -> list[ActorRef]:
    """Do what :func:`connections_of` does, on trio or asyncio. A checkpoint."""
    if not inside_trio():
        return await _hop(connections_of, user)
    return [each.slot.ref for each in await _found_on_trio(user) if each.is_open]


async def adisconnect_user(user: Any, code: int = 4401, reason: str = "") -> int:
    """Do what :func:`disconnect_user` does, on trio or asyncio. A checkpoint."""
    check_close(code, reason)
    if not inside_trio():
        return await _hop(disconnect_user, user, code, reason)
    return sum(each.expel(_DISCONNECTED, code, reason) for each in await _found_on_trio(user))


def _refuse_on_trio(used: str, instead: str) -> None:
    if inside_trio() and current_job() is None:
        raise WrongSide(used, "on trio's thread", instead)


async def _hop(function: Any, *args: Any) -> Any:
    from asgiref.sync import sync_to_async

    return await sync_to_async(function)(*args)


def _here() -> list[Book]:
    root = CURRENT.get()
    return all_books() if root is None else [book_of(root)]


def _found(user: Any) -> Iterator[Identity]:
    value = value_of(user)
    for book in _here():
        known, unknown = known_and_unknown(book.everybody(), value)
        yield from known
        for batch in batches(unknown):
            yield from those_of(batch, value)


async def _found_on_trio(user: Any) -> list[Identity]:
    value = value_of(user)
    found: list[Identity] = []
    for book in _here():
        known, unknown = known_and_unknown(book.everybody(), value)
        found += known
        for batch in batches(unknown):
            found += await in_worker(book, lambda batch=batch: those_of(batch, value), "of a user")
    return found


def known_and_unknown(
    identities: list[Identity], value: str
) -> tuple[list[Identity], list[Identity]]:
    """Return those of the user with *value*, and those of whom nobody knows."""
    known = [each for each in identities if each.user_value == value]
    return known, [each for each in identities if each.is_unknown]


def batches(identities: list[Identity]) -> Iterator[list[Identity]]:
    for at in range(0, len(identities), BATCH):
        yield identities[at : at + BATCH]


def those_of(batch: list[Identity], value: str) -> list[Identity]:
    keys = {each: each.session_key for each in batch}
    sessions = sessions_of({key for key in keys.values() if key is not None})
    found: list[Identity] = []
    for identity, key in keys.items():
        data = sessions.get(key) if key is not None else None
        if data is not None and data.get(SESSION_KEY) == value:
            found.append(identity)
    return found


def close_logged_out(sender: object, *, request: Any = None, **_: object) -> None:
    """Close the connections that have the session which a user logs out of, at once."""
    session = getattr(request, "session", None)
    key: str | None = getattr(session, "session_key", None)
    if not key:
        return
    close_session(key, getattr(session, "owner", None))  # its own log-out goes on


def close_session(key: str, but: Identity | None = None) -> None:
    """Close all connections with the session *key*, except *but*. Any thread; does not wait."""
    for book in all_books():
        book.logged_out(key, but)


def listen_to_log_outs() -> None:
    """Have :func:`close_logged_out` called from now on; again is no different."""
    user_logged_out.connect(close_logged_out, dispatch_uid="greenroom.close_logged_out")
