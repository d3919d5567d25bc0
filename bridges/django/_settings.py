# The setting GREENROOM: the same options as Greenroom(...) takes, in capital letters.
#
#   in settings.py: GREENROOM = {"VIEW_THREADS": 16, "MAX_CONNECTIONS": 20_000}
#
# Read once, through a cached function that `setting_changed` clears, so that
# override_settings works in tests.

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from ...supervisor import Options
from ...supervisor._api_tokens import tokens_of
from ..asgi._origins import pattern_of
from ._codenames import CODENAMES

NAME = "GREENROOM"
KNOWN = tuple(option.name.upper() for option in Options.described())
FOR_ALL = (
    "async_views",
    "audit_days",
    "channels_on_asyncio",
    "inspection",
    "inspection_dir",
    "inspection_tokens",
    "patch_asgiref",
)
"""What is no option of one application: asgiref, the marks of code, and the console with how the
project's other processes find this one, are there once."""


class Problem(NamedTuple):
    """One thing that is wrong with the setting."""

    text: str
    hint: str
    id: str


def load_options(**overrides: object) -> Options:
    """
    Return the options of the setting GREENROOM, with *overrides* on top.

    Raises:
        ImproperlyConfigured: GREENROOM is wrong.
        TypeError: an override is unknown, of the wrong type, or only a setting.
        ValueError: an override is out of range.
    """
    options = _from_setting()
    for name, value in overrides.items():
        if not hasattr(options, name):
            raise TypeError(f"Greenroom() has no option {name!r}. {_meant(name, lower=True)}")
        if name in FOR_ALL:
            shown = "{...}" if name == "inspection_tokens" else repr(value)  # no secrets
            raise TypeError(
                f"{name} holds for the whole process, not for one Greenroom(): write"
                f' {NAME} = {{"{name.upper()}": {shown}}} in the settings.'
            )
    changed: dict[str, Any] = overrides
    return dataclasses.replace(options, **changed)


def problems() -> list[Problem]:
    """List what is wrong with the setting GREENROOM; for the system checks."""
    found: Any = getattr(settings, NAME, {})
    if not isinstance(found, Mapping):
        return [Problem(f"{NAME} must be a dict. Got: {found!r}", _example(), "greenroom.E001")]
    names = list(cast("Mapping[object, object]", found))
    unknown = [
        Problem(f"{NAME} has no option {name!r}.", _meant(str(name)), "greenroom.E002")
        for name in names
        if name not in KNOWN
    ]
    if unknown:
        return unknown
    refused = [*_refused(), *_unreadable_origins(), *_unknown_permissions()]
    if not refused:
        try:
            Options(**_values())
        except ValueError as error:  # each is right, but not beside another
            refused.append(Problem(f"{NAME}: {error}", "Set both.", "greenroom.E003"))
    return refused


def _refused() -> Iterator[Problem]:
    values = _values()
    described = {option.name: option for option in Options.described()}
    for option in dataclasses.fields(Options):
        try:
            if option.name in values:
                option.metadata["check"](option.name.upper(), values[option.name])
        except (TypeError, ValueError) as error:
            doc = described[option.name]
            hint = f"{doc.doc} Default: {doc.written}."
            yield Problem(f"{NAME}: {error}", hint, "greenroom.E003")


def _unreadable_origins() -> Iterator[Problem]:
    origins = _values().get("origins")
    for each in cast("list[object]", origins if isinstance(origins, list | tuple) else []):
        try:
            pattern_of(each)
        except ValueError as error:
            hint = "docs/how-to/check-origins lists the patterns."
            yield Problem(f"{NAME}: ORIGINS: {error}", hint, "greenroom.E003")
        except TypeError:
            return  # it is told of the whole


def _unknown_permissions() -> Iterator[Problem]:
    given = _values().get("inspection_tokens", ())
    try:
        tokens = tokens_of("INSPECTION_TOKENS", given)
    except (TypeError, ValueError):
        return  # it is told of the whole
    for token in tokens:
        for each in sorted({*token.permissions} - {*CODENAMES}):
            text = f"{NAME}: INSPECTION_TOKENS: {token.name!r} has a permission that is unknown."
            hint = f"There are: {', '.join(CODENAMES)}. Got: {each!r}"
            yield Problem(text, hint, "greenroom.E003")


@functools.cache
def _from_setting() -> Options:
    wrong = problems()
    if wrong:
        raise ImproperlyConfigured(f"{wrong[0].text} {wrong[0].hint}")
    return Options(**_values())


def _values() -> dict[str, Any]:
    found: Mapping[str, Any] = getattr(settings, NAME, {})
    return {name.lower(): value for name, value in found.items()}


def _meant(name: str, *, lower: bool = False) -> str:
    close = get_close_matches(name.upper(), KNOWN, 1)
    known = [each.lower() if lower else each for each in (close or KNOWN)]
    return f"Did you mean {known[0]!r}?" if close else f"There are: {', '.join(known)}."


def _example() -> str:
    return f'Write, for example, {NAME} = {{"VIEW_THREADS": 8}}.'


def _forget(*, setting: str, **_: object) -> None:
    if setting == NAME:
        _from_setting.cache_clear()


setting_changed.connect(_forget)
