"""What an operator asks of a living actor: its `describe`, answered between two messages."""

# OTP's sys:get_status, whose format_status redacts. Asked beside the mailbox, so that a full one
# does not matter, and of a suspended actor, too. The class decides what it shows.
#
# Invariants, each with a test of that name in tests/supervisor/test_describe.py:
#   BETWEEN    it never runs while a handler of its actor does, `def` or `async def`.
#   HARMLESS   what it raises, and how long it takes, is the asker's: the actor lives on, and
#              nothing is charged.
#   NO LOSS    a crash does not take along who asks: the next incarnation answers.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import trio

from ._moments import Moment
from ._unrun import refuse_unrun

if TYPE_CHECKING:
    from ._life import Life
    from ._reply import Reply
    from ._signature import Handler

_DESCRIBE = Moment("describe")


class Inquiry:
    """One question after the state of an actor."""

    __slots__ = ("_shape", "reply", "until")

    def __init__(self, reply: Reply, shape: Callable[[object], object], until: float) -> None:
        self.reply = reply
        self.until = until
        """When nobody waits any more, on trio's clock."""
        self._shape = shape

    def answer_of(self, life: Life, described: Any) -> object:
        """Make what ``describe`` has returned into plain data, in the actor's own time."""
        name = f"{life.actor.__qualname__}.describe()"
        refuse_unrun(described, name)
        if not isinstance(described, Mapping):
            kind = type(described).__qualname__
            raise TypeError(f"{name} must return a mapping of what it shows. Got: {kind}")
        return self._shape(cast("Mapping[object, object]", described))


async def answer_all(life: Life) -> None:
    """
    Have *life* answer whoever asks. A checkpoint, if somebody does and its class describes itself.

    Bounded by the time of each inquiry, and ``shutdown_seconds`` for a thread. A cancellation
    leaves the inquiry for the next incarnation.
    """
    control = life.host.mailbox.control
    while not control and not life.failed:
        inquiry = life.host.inquiry()
        if inquiry is None:
            return
        handler = life.table.special.get("describe")
        if handler is None:
            inquiry.reply.set(None)
        else:
            await _answer(life, inquiry, handler)


async def _answer(life: Life, inquiry: Inquiry, handler: Handler) -> None:
    life.item = _DESCRIBE
    with trio.CancelScope(deadline=inquiry.until):  # past it nobody waits
        if handler.is_async:
            await _answer_here(life, inquiry, handler)
        else:
            await _answer_in_thread(life, inquiry, handler)
    life.item = None


async def _answer_here(life: Life, inquiry: Inquiry, handler: Handler) -> None:
    try:
        described = await handler.call(life.instance, _DESCRIBE)
        inquiry.reply.set(inquiry.answer_of(life, described))
    except Exception as error:  # noqa: BLE001 - it is the asker's
        inquiry.reply.fail(error)


async def _answer_in_thread(life: Life, inquiry: Inquiry, handler: Handler) -> None:
    def step() -> tuple[object, Exception | None]:
        try:
            return inquiry.answer_of(life, handler.call(life.instance, _DESCRIBE)), None
        except Exception as error:  # noqa: BLE001 - it is the asker's
            return None, error

    batch = life.hop.batch([step])
    await life.hop.run(batch, handler.name)
    if not batch.begun:  # told to stop before: the next incarnation answers, if there is one
        return
    value, error = batch.value
    if error is not None:
        inquiry.reply.fail(error)
    else:
        inquiry.reply.set(value)
