# What holds for one place in the end: of its spec, its class and the tree's options, as plain data.
#
# Names and numbers only. Of the arguments that an actor is made with the names are told, never the
# values: one of them may be a password.

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from ..actors import Actor
from ._backoff import Backoff
from ._connection_limits import ConnectionLimits
from ._dynamic_spec import DynamicSpec
from ._events import plain
from ._intensity import RestartWindow
from ._options import Options
from ._spec import ChildSpec, kind_name
from ._verdict import Policy

if TYPE_CHECKING:
    from ._supervisor import Supervisor

Effective = dict[str, object]

_OF_CLASS = (
    "idle_seconds", "defer_capacity", "cancel_on_disconnect", "answer_seconds", "heartbeat_seconds",
    "reconnect_seconds", "revalidate_seconds", "check_origin", "window_messages", "window_bytes",
)  # fmt: skip


def effective_of_actor(
    actor: type[Actor],
    options: Options,
    *,
    policy: Policy,
    window: RestartWindow,
    backoff: Backoff,
    shutdown_seconds: float,
    capacity: int,
    arguments: Iterable[str],
) -> Effective:
    """Return what holds for a place of *actor*; *arguments* are those that it is made with."""
    told: Effective = {
        "class": kind_name(actor),
        "doc": _first_line(actor),
        "restart": str(policy.restart),
        "on_exceeded": str(policy.on_exceeded),
        "max_restarts": window.max_restarts,
        "max_seconds": window.max_seconds,
        "backoff": asdict(backoff),
        "shutdown_seconds": shutdown_seconds,
        "mailbox_capacity": capacity,
        "overflow": str(actor.overflow),
        "keep": sorted(actor.keep),
        "expected_errors": [each.__qualname__ for each in actor.expected_errors],
        "supervise": {kind.__qualname__: str(what) for kind, what in actor.supervise.items()},
        "arguments": sorted(arguments),
        "batch_messages": options.batch_messages,
        "batch_seconds": options.batch_seconds,
    }
    told |= {name: plain(getattr(actor, name)) for name in _OF_CLASS if hasattr(actor, name)}
    return told


def effective_of_connection(limits: ConnectionLimits, options: Options) -> Effective:
    """Return what holds for a connection besides."""
    limited = cast("Effective", plain(asdict(limits)))
    for name in ("address_connections", "user_connections"):
        of_class, of_all = getattr(limits, name)
        limited[name] = {"with_this_class": of_class, "with_all": of_all}
    return {
        "limits": limited,
        "read_ahead_messages": options.read_ahead_messages,
        "read_ahead_bytes": options.read_ahead_bytes,
        "output_high_water_bytes": options.output_high_water_bytes,
        "output_limit_bytes": options.output_limit_bytes,
        "output_stall_seconds": options.output_stall_seconds,
    }


def effective_of_spec(spec: ChildSpec) -> Effective:
    """Return what holds for a child that has not been started yet, as far as its spec says."""
    return {
        "class": kind_name(spec.actor),
        "doc": _first_line(spec.actor),
        "restart": str(spec.restart),
        "on_exceeded": str(spec.on_exceeded),
        "max_restarts": spec.max_restarts,
        "max_seconds": spec.max_seconds,
        "shutdown_seconds": spec.shutdown_seconds,
        "init_seconds": spec.init_seconds,
        "arguments": sorted(spec.kwargs),
    }


def effective_of_supervisor(supervisor: "Supervisor") -> Effective:
    """Return what holds for a supervisor and its children together."""
    spec = supervisor.spec
    told: Effective = {
        "strategy": str(spec.strategy),
        "budget": str(spec.budget),
        "max_restarts": spec.max_restarts,
        "max_seconds": spec.max_seconds,
        "on_exceeded": str(spec.on_exceeded),
        "restart": str(spec.restart),
        "auto_shutdown": str(spec.auto_shutdown),
        "significant": spec.significant,
    }
    if isinstance(spec, DynamicSpec):
        told["max_children"] = spec.max_children
    return told


def _first_line(actor: type[Actor]) -> str:
    doc = (actor.__dict__.get("__doc__") or "").strip()
    return doc.partition("\n")[0][:200]
