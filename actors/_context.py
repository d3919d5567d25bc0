"""Who is running: the incarnation behind the current task or worker thread."""

# Context variables, not thread-locals: a task of an actor and a job of its
# handler inherit them, a user's own thread does not and is then treated as a
# stranger with a valid reference to `self`.

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._batch import Batch
    from ._life import Life

current_life: ContextVar[Life | None] = ContextVar("greenroom_life", default=None)
current_batch: ContextVar[Batch | None] = ContextVar("greenroom_batch", default=None)
in_background: ContextVar[bool] = ContextVar("greenroom_in_background", default=False)
"""Whether a background task of the incarnation runs, and not a handler."""
