# Whether sessions and users are still what they were: the questions to the database, for many
# connections in few queries. Blocks; a worker thread's.

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from ._session import store_class

SESSION_ENDED = "the session has ended"
OTHER_USER = "the session is another user's now"
NO_USER = "the user may not log in any more"
OTHER_HASH = "the password was changed"


def problems_of(tickets: Sequence[tuple[str | None, str]]) -> list[str | None]:
    """
    Say what is wrong with each of *tickets*, a session's key and its user's; None if nothing is.

    One without a session's key is a user who has come in by a token.
    """
    sessions = sessions_of({key for key, _ in tickets if key is not None})
    wanted: dict[str | None, set[str]] = defaultdict(set)
    for key, user in tickets:
        wanted[_data_of(key, sessions).get(BACKEND_SESSION_KEY)].add(user)
    users = {backend: _users_of(backend, values) for backend, values in wanted.items()}
    problems: list[str | None] = []
    for key, value in tickets:
        if key is not None and key not in sessions:
            problems.append(SESSION_ENDED)
        else:
            problems.append(_problem(key, value, _data_of(key, sessions), users))
    return problems


def _data_of(key: str | None, sessions: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return {} if key is None else sessions.get(key, {})


def _problem(
    key: str | None,
    value: str,
    data: Mapping[str, Any],
    users: Mapping[str | None, Mapping[str, Any]],
) -> str | None:
    if key is not None and data.get(SESSION_KEY) != value:
        return OTHER_USER if SESSION_KEY in data else SESSION_ENDED
    user = users[data.get(BACKEND_SESSION_KEY)].get(value)
    if user is None:
        return NO_USER
    if key is not None and not _is_signed_for(user, data.get(HASH_SESSION_KEY)):
        return OTHER_HASH
    return None


def _is_signed_for(user: Any, signed: str | None) -> bool:
    if not hasattr(user, "get_session_auth_hash"):
        return True
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return bool(signed) and any(constant_time_compare(str(signed), each) for each in hashes)


def sessions_of(keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return what the sessions with *keys* hold, those that are there and not expired."""
    from django.contrib.sessions.backends import db

    store: Any = store_class()
    wanted = list(keys)
    if not wanted:
        return {}
    if store is db.SessionStore:
        model = store.get_model_class()
        rows = model.objects.filter(session_key__in=wanted, expire_date__gt=timezone.now())
        return {row.session_key: store().decode(row.session_data) for row in rows}
    found: dict[str, Mapping[str, Any]] = {}
    for key in wanted:
        session = store(key)
        data = cast("Mapping[str, Any]", session.load())
        if session.session_key == key:  # else it was not there
            found[key] = data
    return found


def _users_of(backend_path: str | None, values: set[str]) -> dict[str, Any]:
    from django.contrib.auth.backends import ModelBackend

    model: Any = get_user_model()
    if backend_path is None:
        backend: Any = ModelBackend()
    elif backend_path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(backend_path)
    else:
        return {}
    keys = {value: model._meta.pk.to_python(value) for value in values}  # noqa: SLF001
    get_user: Any = cast("Any", type(backend)).get_user
    if get_user is ModelBackend.get_user:
        rows = model._default_manager.filter(pk__in=keys.values())  # noqa: SLF001
        users = [user for user in rows if backend.user_can_authenticate(user)]
        return {str(user._meta.pk.value_to_string(user)): user for user in users}  # noqa: SLF001
    found = ((value, backend.get_user(key)) for value, key in keys.items())
    return {value: user for value, user in found if user is not None}
