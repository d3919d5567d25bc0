# A question as it comes from outside, read field by field. Pure.
#
# Whoever asks may be a browser, another process or a script with a mistake in it: each field has a
# type and bounds, and one that is not known is refused, so that nobody believes that it was heeded.

from collections.abc import Callable, Collection, Mapping
from math import isfinite
from typing import cast


class BadQuestion(ValueError):
    """A question that can't be answered as it stands; the text says which field is wrong."""


def nothing_at(path: str) -> str:
    """Say that nothing is at *path*, to somebody who may have no Python at hand."""
    return f"nothing is at {path!r}: it has ended, or never was."


class Fields:
    """
    The fields of one question.

    Args:
        question: What was asked; ``ask`` is known already. With ``texts`` all values are texts, as
            those of a URL's query are: ``limit=50``, ``unhealthy=true``.
    """

    def __init__(self, question: Mapping[str, object]) -> None:
        self._given = dict(question)
        self._known = {"ask", "texts"}
        self._are_texts = question.get("texts") is True

    def text(self, name: str, default: str = "", *, most: int = 500) -> str:
        """Return a text of at most *most* characters."""
        value = self._take(name, default)
        if not isinstance(value, str) or len(value) > most:
            raise BadQuestion(f"{name} must be a text of at most {most} characters.{_got(value)}")
        return value

    def lines(self, name: str, *, most: int = 10_000) -> frozenset[str]:
        """Return the lines of a text of at most *most* characters, but for empty ones."""
        return frozenset(line for line in self.text(name, most=most).splitlines() if line)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number from *least* to *most*."""
        value = self._read(int, self._take(name, default))
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = f"a whole number from {least} to {most}"
            raise BadQuestion(f"{name} must be {wanted}.{_got(value)}")
        return value

    def seconds(self, name: str, default: float | None = None, *, most: float) -> float | None:
        """Return seconds above 0, *most* at most; None if they are left out and *default* is."""
        value = self._read(float, self._take(name, default))
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadQuestion(f"{name} must be seconds.{_got(value)}")
        if not isfinite(value) or not 0 < value <= most:
            raise BadQuestion(f"{name} must be seconds, above 0 and at most {most:g}.{_got(value)}")
        return float(value)

    def flag_or_seconds(self, name: str, *, most: float) -> bool | float:
        """Return a yes or no, or seconds above 0, *most* at most; False if it is left out."""
        value = self._take(name, default=False)
        return value if isinstance(value, bool) else self.seconds(name, most=most) or False

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a yes or no."""
        value = self._read(_truth, self._take(name, default))
        if not isinstance(value, bool):
            raise BadQuestion(f"{name} must be true or false.{_got(value)}")
        return value

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        """Return one of *choices*."""
        value = self._take(name, default)
        if not isinstance(value, str) or value not in choices:
            listed = ", ".join(sorted(choices))
            raise BadQuestion(f"{name} must be one of {listed}.{_got(value)}")
        return value

    def mapping(self, name: str) -> Mapping[str, object]:
        """Return fields within this one; none if it is left out."""
        empty: dict[str, object] = {}
        value = self._take(name, empty)
        if not isinstance(value, dict):
            raise BadQuestion(f"{name} must be a mapping.{_got(value)}")
        return cast("dict[str, object]", value)

    def done(self) -> None:
        """Refuse what nobody has read. Raises BadQuestion."""
        unknown = sorted(self._given.keys() - self._known)
        if unknown:
            known = ", ".join(sorted(self._known - {"ask", "texts"})) or "none"
            raise BadQuestion(f"no such field here; known are: {known}.{_got(unknown)}")

    def _read(self, kind: Callable[[str], object], value: object) -> object:
        """Return *value* as a *kind*, where it is a text that all values are."""
        if not (self._are_texts and isinstance(value, str)):
            return value
        try:
            return kind(value)
        except (ValueError, KeyError):
            return value  # it is refused as what it is

    def _take(self, name: str, default: object) -> object:
        self._known.add(name)
        value = self._given.get(name)
        return default if value is None else value


def _truth(text: str) -> bool:
    return {"1": True, "true": True, "0": False, "false": False}[text]


def _got(value: object) -> str:
    text = repr(value)
    return f" Got: {text[:100]}..." if len(text) > 100 else f" Got: {text}"
