# The query string of a request, read strictly: each parameter has a type, and one that nobody
# knows, or that comes twice, is refused, so that nobody believes it was heeded. Pure.
#
# What a value may be beyond its type is for the process that answers to say.

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ._api_reply import Refused

Kind = Literal["text", "whole", "seconds", "flag", "flag or seconds", "choice"]
Value = str | int | float | bool

_WHOLE = re.compile(r"[0-9]{1,15}\Z")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_WANTED = {
    "text": "a text, without NUL",
    "whole": "a whole number",
    "seconds": "seconds, such as 2 or 0.5",
    "flag": "true or false",
    "flag or seconds": "true, false, or seconds such as 600",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query string."""

    name: str
    kind: Kind
    doc: str
    """What it does, in a sentence."""
    choices: tuple[str, ...] = ()
    permission: str = ""
    """The codename that is needed to ask for it; "" if none is."""

    def as_dict(self) -> dict[str, object]:
        """Return it as the index of the API shows it."""
        shown: dict[str, object] = {"type": self.kind, "doc": self.doc}
        if self.choices:
            shown["choices"] = list(self.choices)
        if self.permission:
            shown["permission"] = self.permission
        return shown


def read(
    given: Iterable[tuple[str, Sequence[str]]], parameters: Sequence[Parameter]
) -> dict[str, Value]:
    """
    Return the values of *given* by name.

    Args:
        given: Each name with its values, as ``request.GET.lists()`` has them.
        parameters: All that may be there.

    Raises:
        Refused: One is unknown, comes twice, or is of another type.
    """
    known = {each.name: each for each in parameters}
    return {name: _one(name, values, known) for name, values in given}


def _one(name: str, values: Sequence[str], known: Mapping[str, Parameter]) -> Value:
    parameter = known.get(name)
    if parameter is None:
        names = ", ".join(known) or "none"
        raise Refused("bad-question", f"No such parameter; known are: {names}.{_got(name)}")
    if len(values) != 1:
        raise Refused("bad-question", f"{name} must be given once.{_got(list(values))}")
    value = _value(parameter, values[0])
    if value is None:
        wanted = _WANTED.get(parameter.kind) or f"one of {', '.join(parameter.choices)}"
        raise Refused("bad-question", f"{name} must be {wanted}.{_got(values[0])}")
    return value


def _value(parameter: Parameter, text: str) -> Value | None:
    if parameter.kind == "whole":
        return int(text) if _WHOLE.match(text) else None
    if parameter.kind == "seconds":
        return float(text) if _SECONDS.match(text) else None
    if parameter.kind == "flag":
        return _FLAGS.get(text.lower())
    if parameter.kind == "flag or seconds":
        if text.isalpha():
            return _FLAGS.get(text.lower())
        return float(text) if _SECONDS.match(text) else None
    if parameter.kind == "choice":
        return text if text in parameter.choices else None
    return text if "\0" not in text else None  # PostgreSQL takes none


def _got(value: object) -> str:
    text = repr(value)
    return f" Got: {text[:100]}..." if len(text) > 100 else f" Got: {text}"
