"""A handler with a timeout of its own, and how connect, hooks and the last handler are run."""

# The time counts from when user code begins: a `def` may wait for a thread before, which is
# not its fault. So the scope gets its deadline then, from that thread by way of the loop.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

from ._errors import GreenroomError
from ._run_end import put_away
from ._unrun import refuse_unrun

if TYPE_CHECKING:
    from ._life import Life
    from ._ports import Host
    from ._signature import Handler

Begins = Callable[[], object]


class HandlerTimeout(GreenroomError, TimeoutError):
    """
    A handler ran longer than its ``timeout``, and was cancelled: a crash.

    ``handler`` is its name, ``seconds`` the timeout.
    """

    def __init__(self, actor: str, handler: str, seconds: float) -> None:
        super().__init__(actor, handler, seconds)
        self.actor, self.handler, self.seconds = actor, handler, seconds

    def __str__(self) -> str:
        return (
            f"{self.handler}() of {self.actor} ran longer than its timeout of {self.seconds:g} s."
            " Raise the timeout, or do less in one message."
        )


async def within_timeout(
    host: Host, handler: Handler, run: Callable[[Begins], Awaitable[object]]
) -> None:
    """
    Await ``run(begins)``, and cancel it when *handler*'s timeout is over. A checkpoint as it is.

    *run* calls *begins* on the loop's thread when user code begins.

    Raises:
        HandlerTimeout: It was cancelled for that.
    """
    seconds = handler.seconds
    assert seconds is not None
    scope = trio.CancelScope()

    def begins() -> None:
        scope.deadline = trio.current_time() + seconds

    with scope:
        await run(begins)
    if scope.cancelled_caught:
        raise HandlerTimeout(host.path, handler.name, seconds)


async def run_special(
    life: Life, handler: Handler, item: Any, begins: Begins | None = None
) -> None:
    """
    Run a handler that has a name of its own, on trio or in a thread. A checkpoint as it is.

    *begins* is called on the loop when it begins.
    """
    if handler.seconds is None:
        await _run_special(life, handler, item, begins)
        return

    async def run(started: Begins) -> None:
        def both() -> None:
            started()
            if begins is not None:
                begins()

        await _run_special(life, handler, item, both)

    await within_timeout(life.host, handler, run)


async def _run_special(life: Life, handler: Handler, item: Any, begins: Begins | None) -> None:
    call, instance = handler.call, life.instance
    if handler.is_async:
        if begins is not None:
            begins()
        await call(instance, item)
    else:

        def step() -> object:
            if begins is not None:
                life.host.loop.call_soon(begins)
            return call(instance, item)

        batch = life.hop.batch([step])
        await life.hop.run(batch, handler.name)
        refuse_unrun(batch.value, handler.name)
    put_away(life)
