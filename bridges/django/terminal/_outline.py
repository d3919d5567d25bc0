# Data of any shape as lines: names and values, indented. Pure.
#
# What a process says may have fields that this version does not know; they are shown all the same.

from collections.abc import Iterator
from typing import cast

from ._parts import Part, Parts

_DEEPEST = 8
_MOST = 500


def outline(value: object, indent: int = 0) -> Iterator[Parts]:
    """
    Yield the lines that show *value*: JSON, of any shape.

    Args:
        value: A mapping or a list; anything else is one line.
        indent: By how many columns they stand further right.
    """
    pad = Part(" " * indent)
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        wide = min(max((len(str(name)) for name in items), default=0), 24)
        for nth, (name, each) in enumerate(items.items()):
            if nth == _MOST:
                yield (pad, Part(f"... {len(items) - nth} more", "quiet"))
                return
            yield from _item(str(name), each, indent, wide)
    elif isinstance(value, list):
        listed = cast("list[object]", value)
        for nth, each in enumerate(listed):
            if nth == _MOST:
                yield (pad, Part(f"... {len(listed) - nth} more", "quiet"))
                return
            yield (pad, Part(short(each)))
    else:
        for line in str(value).splitlines() or [""]:
            yield (pad, Part(line.expandtabs(4)))


def short(value: object) -> str:
    """Return *value* on one line."""
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        return ", ".join(f"{name} {short(each)}" for name, each in items.items()) or "none"
    if isinstance(value, list):
        return ", ".join(short(each) for each in cast("list[object]", value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 100_000 else f"{value:,.0f}"
    return "none" if value is None else " ".join(str(value).split("\n"))


def _item(name: str, value: object, indent: int, wide: int) -> Iterator[Parts]:
    pad, said = Part(" " * indent), short(value)
    is_long = isinstance(value, dict | list) and len(said) > 80
    has_lines = isinstance(value, str) and "\n" in value
    if (is_long or has_lines) and indent < 2 * _DEEPEST:
        yield (pad, Part(name, "key"))
        yield from outline(cast("object", value), indent + 2)
    else:
        yield (pad, Part(name.ljust(wide), "key"), Part("  "), Part(said))
