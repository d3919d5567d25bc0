# Sync work for tests of hops: it says which thread it runs in, and plays a transaction.

import threading

state = threading.local()
"""`inside` is true in a thread that is inside a transaction."""


def thread() -> str:
    return threading.current_thread().name


def begin() -> str:
    state.inside = True
    return thread()


def end() -> str:
    state.inside = False
    return thread()
