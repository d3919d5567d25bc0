# SIGTERM and SIGINT under a server that does not take them in the worker itself.
#
# hypercorn's worker leaves SIGTERM to its default, so a signal to the process group
# (systemd's default) would end it at once: no close frame, no `disconnect`. Where the
# disposition is the default, and only there, the tree takes the signal: drain, stop,
# then the default again, and the signal once more, so that the process ends as its
# parent expects.

import signal
import threading

import trio

from ...supervisor import Root
from ..hypercorn._leaving import offer_way_out

_TAKEN = (signal.SIGTERM, signal.SIGINT)


def takeable() -> list[signal.Signals]:
    """Return the signals whose disposition is the default, in this process and thread."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in _TAKEN if _is_default(number)]


def _is_default(number: signal.Signals) -> bool:
    handler = signal.getsignal(number)
    if handler is signal.default_int_handler:
        return True
    # Inside trio.run the default of SIGINT is trio's own handler. Not any of trio's: a
    # program that has opened a signal receiver has taken the signal itself.
    return handler is signal.SIG_DFL or getattr(handler, "__module__", "") == "trio._core._ki"


async def stop_on_signal(
    root: Root, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """
    Wait for a signal, stop *root*, and let the signal have its default effect.

    Until then *root* knows how its process leaves without one, where the server offers that. A
    checkpoint. A cancellation restores the dispositions.
    """
    offer_way_out(root)
    taken = takeable()
    if not taken:
        task_status.started()
        return
    number = signal.SIGTERM
    with trio.open_signal_receiver(*taken) as received:
        task_status.started()
        async for arrived in received:
            number = signal.Signals(arrived)
            break
        root.stop()
        await root.stopped.wait()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def leave(_reason: str) -> None:
    """Have this process drain and leave: the way a signal would."""
    signal.raise_signal(signal.SIGTERM)
