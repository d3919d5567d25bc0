# What asgiref does to a context that goes from one thread to another.
#
# Since 3.12 asgiref's `Local` is kept apart by thread, although it is a context variable: what
# moves has to be moved by asgiref's own function, else the active language is lost.

from contextvars import Context
from typing import Any

from asgiref import sync as _sync

_restore: Any = getattr(_sync, "_restore_context", None)  # _install.py checks that it is there


def restore_context(context: Context) -> None:
    """Set each variable of *context* here, and move asgiref's Locals to this thread."""
    _restore(context)
