# Who holds the loop up: looked for from another thread, for the loop itself can't be asked.
#
# The task tells whose handler it is, by the context that it runs in, and the thread's own
# frames tell the line. Both are looked at while the loop may go on, so the task is asked for
# twice: if it has changed in between, the frames may be another's, and nobody is named.
#
# No frame is kept: its locals are a handler's, and would live on with it.

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FrameType

from ..actors._context import current_life
from ..actors._lowlevel import LoopThread

_FRAMES = 30
_IN_TURN = "not this one alone: another task ran a moment before"
_LOOP = ("trio._core._run", "unrolled_run")


@dataclass(frozen=True, slots=True)
class Culprit:
    """What ran on the loop's thread at one moment."""

    path: str = "/"
    """Of the actor whose code it was; the root's if it was nobody's."""
    epoch: int = 0
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it was doing, by name."""
    stack: str = ""
    """Where it was, outermost call first, a line each."""


def culprit_of(loop: LoopThread, before: object) -> Culprit:
    """
    Return what runs on *loop*'s thread now. From another thread.

    Args:
        loop: The loop, which may go on meanwhile.
        before: The task that ran a while ago.
    """
    task = loop.running_task()
    stack = _stack(loop.ident)
    if task is None or loop.running_task() is not task:
        return Culprit(stack=stack)
    facts = {"task": task.name}
    if task is not before:
        facts["reason"] = _IN_TURN
    life = task.context.get(current_life)
    if life is None:
        return Culprit(facts=facts, stack=stack)
    if life.busy_with:
        facts = {"handling": life.busy_with, **facts}
    return Culprit(life.host.path, life.epoch, facts, stack)


def _stack(ident: int) -> str:
    frame = sys._current_frames().get(ident)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    lines: list[str] = []
    while frame is not None and not _is_loop(frame):
        code = frame.f_code
        lines.append(f"  {code.co_filename}:{frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    left_out = len(lines) - _FRAMES
    lines = lines[:_FRAMES][::-1]
    return "\n".join([f"  ({left_out} calls above)", *lines] if left_out > 0 else lines)


def _is_loop(frame: FrameType) -> bool:
    return (frame.f_globals.get("__name__"), frame.f_code.co_name) == _LOOP
