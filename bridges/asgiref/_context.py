# What asgiref does to a context that goes from one thread to another.
#
# Since 3.12 asgiref's `Local` is kept apart by thread, although it is a context variable: what
# moves has to be moved by asgiref's own function, else the active language is lost.

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, ClassVar

from asgiref import sync as _sync

_restore: Any = getattr(_sync, "_restore_context", None)  # _install.py checks that it is there


def restore_context(context: Context) -> None:
    """Set each variable of *context* here, and move asgiref's Locals to this thread."""
    _restore(context)


class _InTurns:
    lock = threading.Lock()
    users: ClassVar[dict[int, tuple[Any, int]]] = {}
    """By the id of a context: whose turn it is, and how many want one."""


@contextmanager
def alone_in(context: Context) -> Generator[None, None, None]:
    """
    Wait, in a thread, until no other thread is in *context*, which two can't enter at a time.

    For one that several hops are given: asgiref has but one thread for them.
    """
    with _InTurns.lock:
        turn, users = _InTurns.users.get(id(context), (threading.RLock(), 0))
        _InTurns.users[id(context)] = turn, users + 1
    try:
        with turn:
            yield
    finally:
        with _InTurns.lock:
            turn, users = _InTurns.users.pop(id(context))
            if users > 1:
                _InTurns.users[id(context)] = turn, users - 1
