"""Input that a JSON consumer can't take: what is wrong with it, and how much of it is too much."""

# Pure: no trio, `now` is an argument.

from __future__ import annotations

from .._errors import GreenroomError

MALFORMED = "malformed"
EMPTY = "empty"
BINARY = "binary"
TOO_DEEP = "too_deep"
WRONG_SHAPE = "wrong_shape"
UNKNOWN_TYPE = "unknown_type"


class InvalidContent(GreenroomError, ValueError):
    """
    A message of a peer that is no JSON, or not the JSON that the class wants.

    ``kind`` is one of ``malformed``, ``empty``, ``binary``, ``too_deep``, ``wrong_shape`` and
    ``unknown_type``; ``field`` is where in the content, such as ``items[2].price``, or empty;
    ``detail`` is a sentence for whoever wrote the client.
    """

    def __init__(self, kind: str, detail: str, field: str = "") -> None:
        super().__init__(kind, detail, field)
        self.kind, self.detail, self.field = kind, detail, field

    def __str__(self) -> str:
        return f"{self.detail} (at {self.field})" if self.field else self.detail

    def facts(self) -> dict[str, str]:
        """Return it as the default answer words it: ``error``, ``detail`` and ``field``."""
        facts = {"error": self.kind, "detail": self.detail}
        return facts | {"field": self.field} if self.field else facts


def from_validation(text: str) -> InvalidContent:
    """Make the error of what msgspec says of content that is JSON, but has another shape."""
    detail, _, path = text.partition(" - at ")
    field = path.strip("`").removeprefix("$").removeprefix(".")
    for start in ("Object missing required field `", "Object contains unknown field `"):
        if detail.startswith(start):  # it names the object's place, we name the field's
            name = detail.removeprefix(start).rstrip("`")
            field = f"{field}.{name}" if field else name
    return InvalidContent(WRONG_SHAPE, f"{detail}.", field)


def too_deep(content: object, most: int) -> bool:
    """Say whether lists and objects in *content* are nested deeper than *most*."""
    level: list[object] = [content]
    depth = 0
    while True:
        inner: list[object] = []
        nested = False
        for each in level:
            if isinstance(each, dict):
                nested = True
                inner.extend(each.values())  # pyright: ignore[reportUnknownArgumentType]
            elif isinstance(each, list):
                nested = True
                inner.extend(each)  # pyright: ignore[reportUnknownArgumentType]
        if not nested:
            return False
        depth += 1
        if depth > most:
            return True
        level = inner


class InvalidRate:
    """
    Counts invalid messages of one peer, so many in any minute at most.

    A window of fixed length: it begins with the first message that is wrong.
    """

    __slots__ = ("_count", "_since")

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def exceeded(self, now: float, most: int | None, seconds: float = 60.0) -> bool:
        """Count one more at *now*; say whether that is more than *most* within *seconds*."""
        if self._count == 0 or now - self._since >= seconds:
            self._since, self._count = now, 0
        self._count += 1
        return most is not None and self._count > most
