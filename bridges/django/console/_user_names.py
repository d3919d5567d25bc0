# Users as a person knows them: what a tree has is a key, and the names are in the database.

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldError, ValidationError
from django.db import DatabaseError

MOST_FOUND = 50
"""Users that one search finds by their names."""


def names_of(keys: Iterable[object]) -> Mapping[str, str]:
    """Return the names of those of *keys* that are primary keys of users; one query."""
    wanted = {str(key) for key in keys if key not in (None, "")}
    if not wanted or not apps.is_installed("django.contrib.auth"):
        return {}
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    valid = [key for key in wanted if _is_key(model, key)]
    try:
        found = model._default_manager.in_bulk(valid)  # noqa: SLF001 - Django's API
    except DatabaseError:  # the page is about the tree, which is there without its names
        return {}
    return {str(key): str(user.get_username()) for key, user in found.items()}


def named(key: object, names: Mapping[str, str]) -> str:
    """Return a user as a cell says it: the name, and the key in brackets."""
    text = "" if key is None else str(key)
    return f"{names[text]} ({text})" if text in names else text


def keys_named(text: str) -> list[str]:
    """Return the keys of the users in whose names *text* is, in any case; a few; one query."""
    if not text or not apps.is_installed("django.contrib.auth"):
        return []
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    wanted = {f"{model.USERNAME_FIELD}__icontains": text.replace("\0", "")}
    try:
        found = model._default_manager.filter(**wanted)  # noqa: SLF001 - Django's API
        return [str(key) for key in found.values_list("pk", flat=True)[:MOST_FOUND]]
    except (DatabaseError, FieldError):  # no table, or names that can't be looked through
        return []


def _is_key(model: Any, key: str) -> bool:
    try:
        value: object = model._meta.pk.to_python(key)  # noqa: SLF001 - Django's API
        model._meta.pk.get_prep_value(value)  # noqa: SLF001 - Django's API
    except (ValidationError, ValueError, TypeError, OverflowError):
        return False
    # A larger number is refused by some databases, with an error of another kind.
    return value.bit_length() < 64 if isinstance(value, int) else "\0" not in key
