# The tokens by which scripts and scrapers read the inspection, as they stand in the options.
#
# What is kept of a token is its SHA-256 alone, so that no repr of the options and no error says
# one. That is enough for what nobody can guess: a token has twenty characters at least.

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple, cast

LEAST = 20
"""Characters that a token has at least."""
READS = "view_tree"
"""What a token may do if its entry does not say."""

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_PERMISSION = re.compile(r"[a-z_]+\Z")
_EXAMPLE = '{"prometheus": {"token": os.environ["METRICS_TOKEN"]}}'


class ApiToken(NamedTuple):
    """One token that is let in."""

    name: str
    """Who comes with it, for the audit log."""
    digest: str
    """The SHA-256 of the token, in hexadecimal."""
    permissions: tuple[str, ...]
    """What it may do, by codename."""


def check_tokens(name: str, value: object) -> None:
    """Refuse *value* unless tokens can be made of it; what is said never has a token in it."""
    given = cast("tuple[object, ...]", value) if isinstance(value, tuple) else None
    if given is None or not all(isinstance(each, ApiToken) for each in given):
        tokens_of(name, cast("object", value))


def tokens_of(name: str, value: object) -> tuple[ApiToken, ...]:
    """
    Return the tokens that *value*, a mapping from the setting, stands for.

    Raises:
        TypeError: It is no mapping of names to mappings, or a value in it is of the wrong type.
        ValueError: A token is too short, or two are one; a permission is no name; a key is unknown.
    """
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} must be a mapping of names, such as {_EXAMPLE}. Got: {type(value).__name__}"
        )
    entries = cast("Mapping[object, object]", value).items()
    tokens = tuple(_token(name, key, entry) for key, entry in entries)
    seen: dict[str, str] = {}
    for token in tokens:
        other = seen.setdefault(token.digest, token.name)
        if other != token.name:
            raise ValueError(f"{name}: {other!r} and {token.name!r} have one token between them")
    return tokens


def digest_of(token: str) -> str:
    """Return what is kept of *token*."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _token(name: str, key: object, entry: object) -> ApiToken:
    if not isinstance(key, str) or not key.isprintable() or not 0 < len(key) <= 50:
        raise TypeError(f"{name}: a name must be a text of at most 50 characters. Got: {key!r}")
    if not isinstance(entry, Mapping):
        raise TypeError(
            f'{name}: {key!r} must have a mapping, {{"token": ..., "permissions": [...]}}.'
            f" Got: {type(entry).__name__}"
        )
    fields = cast("Mapping[str, object]", entry)
    unknown = sorted(str(each) for each in fields if each not in ("token", "permissions"))
    if unknown:
        raise ValueError(f"{name}: {key!r} may have token and permissions. Got: {unknown}")
    digest = _digest(name, key, fields.get("token"))
    return ApiToken(key, digest, _permissions(name, key, fields.get("permissions", (READS,))))


def _digest(name: str, key: str, token: object) -> str:
    if not isinstance(token, str):
        raise TypeError(f"{name}: the token of {key!r} must be a text. Got: {type(token).__name__}")
    if token.startswith("sha256:"):
        found = _DIGEST.match(token)
        if found is None:
            raise ValueError(
                f"{name}: the token of {key!r} must have 64 hexadecimal digits in lower case"
                " behind sha256:"
            )
        return found[1]
    if len(token) < LEAST or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"{name}: the token of {key!r} must have at least {LEAST} characters of ASCII and no"
            f" blank, as secrets.token_urlsafe(32) makes it. Got: {len(token)} characters"
        )
    return digest_of(token)


def _permissions(name: str, key: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise TypeError(
            f'{name}: the permissions of {key!r} must be a list such as ["{READS}"]. Got: {given!r}'
        )
    listed = cast("list[object] | tuple[object, ...]", given)
    for each in listed:
        if not isinstance(each, str) or not _PERMISSION.match(each):
            raise ValueError(
                f'{name}: a permission of {key!r} must be a codename such as "{READS}".'
                f" Got: {each!r}"
            )
    return tuple(cast("list[str]", listed))
