# What asgiref does to a context that goes from one thread to another.
#
# Since 3.12 asgiref's `Local` is kept apart by thread, although it is a context variable: what
# moves has to be moved by asgiref's own function, else the active language is lost.

from contextvars import Context

from asgiref import sync as _sync


def restore_context(context: Context) -> None:
    """Set each variable of *context* here, and move asgiref's Locals to this thread."""
    _sync._restore_context(context)  # noqa: SLF001 - see _install.py, which checks it
