# What the scenarios are told with. They import nothing of the library under test but from here.
#
# Which library that is, the variable CONFORMANCE_ADAPTER says: the module that has the names below.
# Another one needs an adapter of its own and no change of the scenarios; on_naive.py is a
# small one. What an adapter lacks fails the scenarios that use it.
#
#   tree(journal, children, **flags)   serves the supervisor S and its children, as a Tree
#   member(journal, name, **options)   the spec of a child that lives by script.py, and
#                                      takes the commands of members.py
#   supervisor, dynamic, partitions    specs of supervisors
#   sockets(journal)                   serves WebSockets, where the library has them

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from conformance.script import Journal, settle

__all__ = [
    "READ_AHEAD",
    "ActorNotFound",
    "ActorStopped",
    "AlreadyStarted",
    "CallFailed",
    "CallTimeout",
    "ChildNotFound",
    "DescribeFailed",
    "HandshakeRefused",
    "Journal",
    "Member",
    "StartFailed",
    "StartupFailed",
    "SupervisorStopping",
    "TooManyChildren",
    "Tree",
    "collected",
    "counted",
    "defaults",
    "dynamic",
    "idle",
    "marked",
    "member",
    "partitions",
    "pool",
    "settle",
    "sockets",
    "supervisor",
    "tree",
]

if TYPE_CHECKING:
    from conformance.members import Member
    from conformance.on_greenroom import (
        READ_AHEAD,
        ActorNotFound,
        ActorStopped,
        AlreadyStarted,
        CallFailed,
        CallTimeout,
        ChildNotFound,
        DescribeFailed,
        HandshakeRefused,
        StartFailed,
        StartupFailed,
        SupervisorStopping,
        TooManyChildren,
        Tree,
        collected,
        counted,
        defaults,
        dynamic,
        idle,
        marked,
        member,
        partitions,
        pool,
        sockets,
        supervisor,
        tree,
    )
else:
    _adapter = import_module(os.environ.get("CONFORMANCE_ADAPTER", "conformance.on_greenroom"))

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_adapter, name, _lacking(name))


def _lacking(name: str) -> type[Exception]:
    """Return what stands for *name*, which the adapter has not: using it is an error."""

    def use(self: object, *args: object, **options: object) -> None:
        raise NotImplementedError(f"the library under test has no {name}")

    return type(name, (Exception,), {"__init__": use})
