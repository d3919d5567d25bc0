"""JSON to objects and back, with what Django projects put into it."""

# msgspec does dates, times, Decimal, UUID, enums, dataclasses, sets and bytes by itself. What
# it does not know goes to _other(): subclasses of str and of numbers, and what the layers above
# have told us of. `translate` is that port: bridges/django fills it with lazy strings, so that
# nothing here imports Django.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from ._invalid import (
    MALFORMED,
    TOO_DEEP,
    InvalidContent,
    from_validation,
    too_deep,
)

Translate = Callable[[object], object]

_translations: list[Translate] = []


def add_translation(translate: Translate) -> None:
    """
    Have *translate* turn objects into what JSON has.

    It returns NotImplemented for what it does not know. Adding it again changes nothing.
    """
    if translate not in _translations:
        _translations.append(translate)


def _other(value: Any) -> object:
    for translate in _translations:
        found = translate(value)
        if found is not NotImplemented:
            return found
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    kind = cast("type[object]", type(value))
    raise TypeError(
        f"{kind.__module__}.{kind.__qualname__} has no form in JSON. Make it a dict, a list, a str"
        " or a number, or override encode_json()."
    )


_encoder = msgspec.json.Encoder(enc_hook=_other)


def encode(content: object) -> str:
    """
    Return *content* as JSON text.

    Raises:
        TypeError: It holds something that JSON has no form for.
    """
    return _encoder.encode(content).decode()


def decoder_of(kind: Any) -> Callable[[str], Any]:
    """
    Return what decodes text into *kind*.

    Raises:
        TypeError: Nothing can be validated as *kind*.
    """
    return msgspec.json.Decoder(kind).decode


decode_any = decoder_of(Any)


def guarded(decode: Callable[[str], Any], text: str) -> Any:
    """
    Return ``decode(text)``, which may be the user's own.

    Raises:
        InvalidContent: The text is no JSON, too deep to be read, or has the wrong shape.
    """
    try:
        return decode(text)
    except InvalidContent:
        raise
    except msgspec.ValidationError as error:
        raise from_validation(str(error)) from None
    except RecursionError:
        raise InvalidContent(TOO_DEEP, "The JSON is nested too deeply.") from None
    except ValueError as error:  # also json.JSONDecodeError, and text that is no UTF-8
        detail = str(error) if isinstance(error, msgspec.DecodeError) else "The JSON is malformed"
        raise InvalidContent(MALFORMED, f"{detail.removesuffix('.')}.") from None


def converted(content: object, kind: Any) -> Any:
    """
    Return *content*, which was decoded without looking, as *kind*.

    Raises:
        InvalidContent: It has another shape.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise from_validation(str(error)) from None


def refuse_deep(text: str, content: object, most: int) -> None:
    """
    Refuse what is nested deeper than *most*. *content* is *text*, decoded without looking.

    Raises:
        InvalidContent: It is.
    """
    # As a rule there are fewer brackets than that in all of it.
    if text.count("[") + text.count("{") > most and too_deep(content, most):
        raise InvalidContent(TOO_DEEP, f"The JSON is nested deeper than {most} levels.")
