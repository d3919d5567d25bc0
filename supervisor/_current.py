# Which tree the running task or thread belongs to.

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._request import RequestSlot
    from ._root import Root

CURRENT: ContextVar["Root | None"] = ContextVar("greenroom_root", default=None)
HERE: ContextVar["RequestSlot | None"] = ContextVar("greenroom_request", default=None)
"""The slot of the request that is answered."""


def current_root() -> "Root":
    """
    Return the tree that the caller runs in: in a handler, a view, or a task of one.

    Raises:
        LookupError: The caller runs in no tree: a shell, a test without one, or an
            application that no Greenroom root serves.
    """
    root = CURRENT.get()
    if root is None:
        raise LookupError(
            "no Greenroom tree runs here. current_root() works in handlers and views that"
            " are served by a Greenroom application."
        )
    return root


def set_current_root(root: "Root") -> None:
    """Make *root* the current one for this task and what it starts."""
    CURRENT.set(root)
