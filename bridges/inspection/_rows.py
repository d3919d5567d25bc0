# One place of the tree as a row: what a person wants to see of it first.

from typing import cast

from ...supervisor import NodeSnapshot
from ...supervisor._events import plain
from ...supervisor._look import Look
from ...supervisor._standing import Standing

Row = dict[str, object]

_TOLD = frozenset({"handling", "seconds", "request", "calls"})
"""Facts that have a place of their own in a row."""


def row_at(look: Look, path: str) -> Row | None:
    """Return the place at *path* as a row; None if nothing is there. Loop thread only."""
    node = look.node(path)
    if node is None:
        return None
    below: dict[str, object] = {
        "total": look.total(path),
        "states": look.states(path),
        "unhealthy": look.unhealthy(path),
    }
    return row_of(node, look.standing(path), below)


def row_of(node: NodeSnapshot, standing: Standing, below: dict[str, object]) -> Row:
    """
    Return *node* as a row. Pure.

    Args:
        node: The place, in short.
        standing: How it stands.
        below: What is below it.
    """
    supervises = node.kind != "slot"
    left, crash = standing.left, standing.crash
    return {
        "path": node.path,
        "kind": node.kind,
        "name": node.name,
        "actor": node.actor,
        "state": node.state,
        "healthy": not standing.unwell,
        "unwell": standing.unwell,
        "epoch": node.epoch,
        "uptime": _rounded(standing.uptime),
        "restarts": standing.restarts,
        "restarts_left": standing.restarts_left if supervises else node.restarts_left,
        "restarted": _rounded(standing.restarted),
        "backoff": _rounded(standing.pause),
        "mailbox": _mailbox(node.mailbox, standing),
        "doing": _doing(node, standing),
        "below": below,
        "exit": None if left is None else {"reason": left.reason, "at": left.at},
        "crash": crash
        and {
            "exception": crash.exception,
            "text": crash.text,
            "at": crash.at,
            "epoch": crash.epoch,
            "message": crash.message,
            "resumed": crash.directive == "resume",
        },
        "facts": {str(name): plain(node.facts[name]) for name in node.facts if name not in _TOLD},
    }


def _mailbox(mailbox: tuple[int, int] | None, standing: Standing) -> dict[str, object] | None:
    queued, capacity = mailbox or (0, 0)
    if not capacity:
        return None  # nothing can be sent to it, as to a request
    return {"queued": queued, "capacity": capacity, "age": _rounded(standing.age)}


def _doing(node: NodeSnapshot, standing: Standing) -> dict[str, object] | None:
    facts = node.facts
    what = facts.get("handling") or facts.get("request") or _first(facts.get("concurrent"))
    if not what:
        return None
    return {
        "what": str(what),
        "seconds": _rounded(standing.busy),
        "where": standing.where or _where(node),
    }


def _first(listed: object) -> object:
    return next(iter(cast("list[object]", listed)), None) if isinstance(listed, list) else None


def _where(node: NodeSnapshot) -> str:
    awaits = node.facts.get("awaits")
    return f"waits for {awaits}" if awaits else ""


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
