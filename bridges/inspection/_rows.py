# One place of the tree as a row: what a person wants to see of it first. Pure.

from ...supervisor import NodeSnapshot
from ...supervisor._events import plain
from ...supervisor._standing import Standing

Row = dict[str, object]

_WELL = frozenset(
    {"starting", "running", "declined", "waiting", "making room", "stopping", "ended"}
)
_HIGH = 0.8


def is_healthy(node: NodeSnapshot, standing: Standing) -> bool:
    """Say whether nobody need look at *node*: it runs, has not restarted lately, keeps up."""
    if node.state not in _WELL or standing.restarts:
        return False
    if node.path == "/":
        return node.facts.get("ready") is True
    return not _is_high(node.mailbox)


def row_of(node: NodeSnapshot, standing: Standing, total: int) -> Row:
    """
    Return *node* as a row.

    Args:
        node: The place, without what is below it.
        standing: How it stands.
        total: How many places are right below it.
    """
    last = node.crashes[-1] if node.crashes else None
    return {
        "path": node.path,
        "kind": node.kind,
        "name": node.name,
        "actor": node.actor,
        "state": node.state,
        "healthy": is_healthy(node, standing),
        "epoch": node.epoch,
        "uptime": _rounded(standing.uptime),
        "restarts": standing.restarts,
        "restarts_left": node.restarts_left,
        "backoff": _rounded(standing.pause),
        "mailbox": None if node.mailbox is None else _mailbox(node.mailbox),
        "doing": _doing(node),
        "below": {"total": total},
        "exit": None if standing.end is None else {"reason": standing.end},
        "crash": last
        and {"exception": last.exception, "text": last.text, "at": last.at, "epoch": last.epoch},
        "facts": {str(name): plain(fact) for name, fact in node.facts.items()},
    }


def _mailbox(mailbox: tuple[int, int]) -> dict[str, int]:
    queued, capacity = mailbox
    return {"queued": queued, "capacity": capacity}


def _is_high(mailbox: tuple[int, int] | None) -> bool:
    return mailbox is not None and mailbox[1] >= 10 and mailbox[0] >= _HIGH * mailbox[1]


def _doing(node: NodeSnapshot) -> dict[str, object] | None:
    what = node.facts.get("handling") or node.facts.get("request")
    return None if not what else {"what": str(what), "seconds": node.facts.get("seconds")}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
