# Context variables that the `def` handlers of one consumer set: the next handler sees them, though
# each runs in some thread with a context of its own. So it is with asgiref's hops, under Channels:
# the language that `connect` activates holds for what comes.

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar

from ..asgiref._context import restore_context

T = TypeVar("T")

_OURS = "greenroom_"
"""Begins the names of the runtime's own, which belong to one run of a handler."""


class Variables:
    """What the handlers of one consumer have set so far."""

    def __init__(self) -> None:
        self._set = Context()

    def call(self, function: Callable[[Any], T], argument: Any) -> T:
        """Return ``function(argument)``, which sees what was set, and may set more. In a thread."""
        if len(self._set):
            restore_context(self._set)
        before = copy_context()
        try:
            return function(argument)
        finally:
            after = copy_context()
            if after != before:
                self._keep(before, after)

    def _keep(self, before: Context, after: Context) -> None:
        nothing = object()
        for variable, value in after.items():
            if variable.name.startswith(_OURS):
                continue
            if before.get(variable, nothing) is not value:
                self._set.run(variable.set, value)
