# The trees of this process that answer: its own threads ask them without a socket.

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import trio

from ...supervisor import Root
from ._identity import ProcessId, this_process
from ._inspector import Inspector, error
from ._limits import ANSWER_SECONDS, Limits

if TYPE_CHECKING:
    from ._door import OwnDoor

Told = Callable[[dict[str, Any]], object]

logger = logging.getLogger("greenroom.inspection")

_numbers = itertools.count(1)
_trees: dict[ProcessId, LocalTree] = {}
_lock = threading.Lock()


class LocalTree:
    """
    One tree of this process, and who answers for it.

    Args:
        root: The tree.
        nursery: Where what other threads ask is answered.
    """

    def __init__(self, root: Root, nursery: trio.Nursery) -> None:
        self.process = this_process(next(_numbers))
        self.inspector = Inspector(root)
        self.limits = Limits()
        self.door: OwnDoor | None = None
        """Its socket, while there is one."""
        self.why_no_door = ""
        """Why there is none, in a sentence."""
        self._root = root
        self._loop = root.loop
        self._nursery = nursery

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on its loop, which it must not block."""
        return self._loop.is_here()

    def is_of(self, root: Root) -> bool:
        """Say whether it is *root* that answers."""
        return self._root is root

    async def answer(self, question: Mapping[str, object]) -> dict[str, Any]:
        """Answer *question* within the limits. Loop thread only, a checkpoint."""
        limit = self.limits.of(question)
        if limit is None:
            return error("refused", "too many questions wait for something to happen here")
        async with limit:
            with trio.move_on_after(ANSWER_SECONDS):
                return await self.inspector.answer(question)
        return error("timeout", f"no answer was found within {ANSWER_SECONDS:g} s")

    def ask(self, question: Mapping[str, object], told: Told) -> trio.CancelScope | None:
        """
        Have *question* answered, and *told* called with the answer. Any thread; does not wait.

        Returns what :meth:`forget` takes; None if its tree has ended.
        """
        scope = trio.CancelScope()
        try:
            self._loop.call_soon(self._begin, question, told, scope)
        except trio.RunFinishedError:
            return None
        return scope

    def forget(self, asked: trio.CancelScope) -> None:
        """Look for that answer no longer: nobody waits for it. Any thread; does not wait."""
        with suppress(trio.RunFinishedError):
            self._loop.call_soon(asked.cancel)

    def where(self) -> str:
        """Return the line that its loop is in now; "" if it has ended. Any thread."""
        frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._loop.ident)
        if frame is None:
            return ""
        code = frame.f_code
        return f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"

    def _begin(self, question: Mapping[str, object], told: Told, scope: trio.CancelScope) -> None:
        if self.process not in _trees:
            _tell(told, error("failed", "the tree has ended"))
        elif not self.limits.take_call():
            _tell(told, error("refused", "too many questions are asked of this process already"))
        else:
            self._nursery.start_soon(self._tell, question, told, scope)

    async def _tell(
        self, question: Mapping[str, object], told: Told, scope: trio.CancelScope
    ) -> None:
        answer = error("failed", "the tree has ended")
        try:
            with scope:
                answer = await self.answer(question)
        finally:
            self.limits.give_call_back()
            _tell(told, answer)


def _tell(told: Told, answer: dict[str, Any]) -> None:
    """Tell *told* of *answer*; what that raises, as one whose loop has ended, ends no tree."""
    try:
        told(answer)
    except trio.RunFinishedError:
        pass  # who asked has gone
    except Exception:
        logger.exception("who asked could not be told")


def local_trees() -> list[LocalTree]:
    """Return the trees of this process that answer. Any thread."""
    with _lock:
        return list(_trees.values())


@contextmanager
def entered(tree: LocalTree) -> Generator[None, None, None]:
    """Have *tree* among :func:`local_trees` in this block."""
    with _lock:
        _trees[tree.process] = tree
    try:
        yield
    finally:
        with _lock:
            del _trees[tree.process]


def _forget() -> None:
    """Know of no tree, in a child that was forked: nobody runs its parent's trees there."""
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    _trees.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
