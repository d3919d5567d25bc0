# What the tree looked like at one moment, as frozen data, and as text for a
# terminal at three in the morning.
#
# Snapshots hold strings and numbers, no live objects: they can be kept, sent to
# another process and compared, and they keep nothing alive. Text that came from
# outside (names, error texts) is escaped before it is printed, because a client
# that can make a handler raise could otherwise send escape codes to an operator's
# terminal.

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..actors import PoolStatistics
from ._events import Event, plain, printable

Kind = Literal["root", "supervisor", "slot"]

_QUIET = frozenset({"starting", "running", "declined"})


@dataclass(frozen=True)
class CrashReport:
    """
    How one incarnation crashed.
    """

    epoch: int
    """Which incarnation, counted from 1."""
    at: float
    """When, in unix seconds."""
    exception: str
    """The name of the exception's type."""
    text: str
    """What the exception said."""
    traceback: str
    """The formatted traceback."""
    message: str
    """A summary of the message that was being handled, never its body; "" if none."""
    path: str = ""
    """Whose it is."""
    restarts: int = 0
    """Restarts of the slot before it crashed."""
    restarts_left: int | None = None
    """Restarts that the budget covered then, this crash's not counted; None for no limit."""
    caller: str = ""
    """The path of the actor whose call was being handled; "" if it was none, or no call."""
    directive: str = ""
    """What followed by the class's `supervise`; "" if it does not list the exception."""
    recent: tuple[Event, ...] = ()
    """The slot's last events before it, oldest first, as far as the stream remembered them."""

    def as_dict(self) -> dict[str, object]:
        """
        Return the report as data that `json.dumps` takes.
        """
        return {
            "epoch": self.epoch,
            "at": self.at,
            "exception": self.exception,
            "text": self.text,
            "traceback": self.traceback,
            "message": self.message,
            "path": self.path,
            "restarts": self.restarts,
            "restarts_left": self.restarts_left,
            "caller": self.caller,
            "directive": self.directive,
            "recent": [event.as_dict() for event in self.recent],
        }


@dataclass(frozen=True)
class NodeSnapshot:
    """
    One place in the tree, with everything below it, as it was at one moment.
    """

    path: str
    """Where it is, from "/"."""
    kind: Kind
    """Whether it is the root, another supervisor, or a slot with an actor."""
    name: str
    """The last part of the path."""
    actor: str = ""
    """The name of the actor's class; "" for supervisors."""
    state: str = "running"
    """What it is doing: running, backing off, parked, declined, stopping, unkillable ..."""
    epoch: int = 0
    """Which incarnation it is in, counted from 1; 0 for supervisors."""
    crashes: tuple[CrashReport, ...] = ()
    """The last five crashes, oldest first."""
    restarts_left: int | None = None
    """Restarts its budget still covers; None if there is no limit."""
    mailbox: tuple[int, int] | None = None
    """Messages waiting and capacity; None for supervisors."""
    groups: tuple[str, ...] = ()
    """The groups it is a member of."""
    names: tuple[str, ...] = ()
    """The keys it holds in the registry: its unique names, then those it shares with others."""
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    """Further details by name."""
    children: tuple["NodeSnapshot", ...] = ()
    """What is below it, in start order."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def as_dict(self) -> dict[str, object]:
        """
        Return the node and all below it as data that `json.dumps` takes.
        """
        return {
            "path": self.path,
            "kind": self.kind,
            "name": self.name,
            "actor": self.actor,
            "state": self.state,
            "epoch": self.epoch,
            "crashes": [crash.as_dict() for crash in self.crashes],
            "restarts_left": self.restarts_left,
            "mailbox": _mailbox_as_dict(self.mailbox),
            "groups": list(self.groups),
            "names": list(self.names),
            "facts": {str(name): plain(fact) for name, fact in self.facts.items()},
            "children": [child.as_dict() for child in self.children],
        }

    def walk(self) -> Iterator["NodeSnapshot"]:
        """
        Yield this node and all below it, parents before their children.
        """
        waiting: list[NodeSnapshot] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def find(self, path: str) -> "NodeSnapshot | None":
        """
        Return the node at *path*, this one or one below it; None if there is none.
        """
        return next((node for node in self.walk() if node.path == path), None)


def _mailbox_as_dict(mailbox: tuple[int, int] | None) -> dict[str, int] | None:
    if mailbox is None:
        return None
    queued, capacity = mailbox
    return {"queued": queued, "capacity": capacity}


def render(node: NodeSnapshot, *, children: int = 50) -> str:
    """
    Return *node* and all below it as a tree for a terminal, one line a node.

    A node that has crashed has its last crash below it, and the rest is one `find`
    away. Times are UTC.

    Args:
        node: Where to begin.
        children: How many to show below one node. Of more, those in trouble come
            first, and the others are counted by state.
    """
    return "\n".join(_lines(node, children))


def _lines(node: NodeSnapshot, limit: int) -> Iterator[str]:
    below = _below(node, limit)
    bar = "│ " if below else "  "
    yield _headline(node)
    if node.crashes:
        yield f"{bar}  {_last_crash(node)}"
    for nth, child in enumerate(below, start=1):
        first, rest = ("└─ ", "   ") if nth == len(below) else ("├─ ", "│  ")
        lines = [child] if isinstance(child, str) else _lines(child, limit)
        for line in lines:
            yield f"{first}{line}"
            first = rest


def _below(node: NodeSnapshot, limit: int) -> list[NodeSnapshot | str]:
    if len(node.children) <= limit:
        return list(node.children)
    # sorted() is stable: those in trouble first, each kind still in start order.
    ordered = sorted(node.children, key=_is_quiet)
    hidden = Counter(child.state for child in ordered[limit:])
    counts = ", ".join(f"{number} {state}" for state, number in hidden.most_common())
    return [*ordered[:limit], f"... and {sum(hidden.values())} more: {counts}"]


def _is_quiet(node: NodeSnapshot) -> bool:
    return node.state in _QUIET and not node.crashes


def _headline(node: NodeSnapshot) -> str:
    parts = [node.name or node.path, node.actor, node.state]
    if node.kind == "slot":
        parts.append(f"epoch {node.epoch}")
        left = "unlimited" if node.restarts_left is None else str(node.restarts_left)
        parts.append(f"restarts left {left}")
    if node.mailbox is not None:
        queued, capacity = node.mailbox
        parts.append(f"mailbox {queued}/{capacity}")
    if node.groups:
        parts.append(f"groups {_listed(node.groups)}")
    if node.names:
        parts.append(f"names {_listed(node.names)}")
    parts += [f"{name} {plain(fact)}" for name, fact in node.facts.items()]
    if node.children:
        parts.append(f"{len(node.children)} below")
    return "  ".join(printable(part) for part in parts if part)


def _listed(names: tuple[str, ...], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _last_crash(node: NodeSnapshot) -> str:
    crash = node.crashes[-1]
    when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(crash.at))
    during = f", handling {crash.message}" if crash.message else ""
    caller = f" from {crash.caller}" if crash.caller else ""
    text = f": {crash.text}" if crash.text else ""
    how = "resumed" if crash.directive == "resume" else "crashed"
    where = f"{how} {when} in epoch {crash.epoch}"
    return printable(f"{where}: {crash.exception}{text}{during}{caller}")


def facts_of_threads(now: PoolStatistics) -> dict[str, object]:
    """Return what the tree tells of a pool."""
    return {
        "size": now.size,
        "running": now.running,
        "queued": now.queued,
        "parked": now.parked,
        "alive": now.threads,
        "abandoned": [f"{job.label} for {job.seconds:.0f} s" for job in now.abandoned],
    }
