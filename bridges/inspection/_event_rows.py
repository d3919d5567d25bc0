# An event as data for those who look on. Pure.
#
# Where code stood is told to who may see tracebacks, and to nobody else.

from typing import cast

from ...supervisor import Event

_STACKS = frozenset({"stack"})


def event_row(event: Event, *, stacks: bool) -> dict[str, object]:
    """
    Return *event* as data that JSON can carry.

    Args:
        event: What happened.
        stacks: Whether its facts may say where code stood.
    """
    row = event.as_dict()
    facts = cast("dict[str, object]", row["facts"])
    if not stacks and not _STACKS.isdisjoint(event.facts):
        row["facts"] = {name: fact for name, fact in facts.items() if name not in _STACKS}
    return row


def is_below(path: str, branch: str) -> bool:
    """Say whether *path* is *branch* or below it; everything is below "/" and ""."""
    return branch in ("", "/") or path == branch or path.startswith(f"{branch}/")
