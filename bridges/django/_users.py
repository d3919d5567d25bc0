# Whose session it is, by Django's own rules: the backend must still be listed, the hash in the
# session must be that of the user's password, by SECRET_KEY or one of SECRET_KEY_FALLBACKS.
#
# One thing is different on a connection that lives on. A session that an old key has signed is
# upgraded where it is: a new session key could not be told to the browser any more, so all its
# tabs would be logged out by a rotation that nobody was to notice.

from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

NO_AUTH = (
    "django.contrib.auth is not in INSTALLED_APPS, so there are no users. Add it, with"
    " django.contrib.contenttypes, or do without the user."
)


class _KeyStays:
    """A session for `django.contrib.auth.get_user`, whose key does not change."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._session[key] = value

    def cycle_key(self) -> None:
        """Keep the key."""


def user_of_session(session: Any) -> Any:
    """
    Return the user whose session *session* is, or an AnonymousUser. Blocks for queries.

    A session whose hash is wrong (the password was changed, say) is flushed, as Django does. One
    that a key of SECRET_KEY_FALLBACKS has signed is changed to the new one: save it.
    """
    require_auth()
    from django.contrib.auth import get_user

    request: Any = SimpleNamespace(session=_KeyStays(session))
    return get_user(request)


def anonymous() -> Any:
    """Return a new AnonymousUser."""
    require_auth()
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()


def require_auth() -> None:
    """
    Refuse to go on without users.

    Raises:
        ImproperlyConfigured: django.contrib.auth is not installed.
    """
    if not apps.is_installed("django.contrib.auth"):
        raise ImproperlyConfigured(NO_AUTH)


def value_of(user: Any) -> str:
    """Return the primary key of *user*, or *user* if it is one, as sessions have it."""
    meta: Any = getattr(user, "_meta", None)
    return str(user) if meta is None else str(meta.pk.value_to_string(user))
