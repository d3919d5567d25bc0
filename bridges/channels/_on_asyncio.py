# The switch: whose `async def` handlers run on the asyncio loop beside trio, and what they leave
# running there.
#
# A task of asyncio that a handler starts belongs to the object whose handler it was: the loop's
# task factory lists it by a context variable, which tasks that it starts itself inherit. With the
# object's end, or its crash, those that still run are cancelled, waited for, and named in the log.

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

import trio

from ..asgiref import SideLoop, current_hops
from ..asgiref._winding_up import place_of
from ..django._settings import load_options

T = TypeVar("T")

logger = logging.getLogger("greenroom.asyncio")

NO_LOOP = (
    "{name} uses asyncio, but its handlers run on trio. Write on_asyncio = True in the class, or"
    ' "CHANNELS_ON_ASYNCIO": True in settings.GREENROOM for all: then they run on an asyncio loop'
    " beside trio. It said: {error}"
)
_SAYS_SO = re.compile(r"no running event loop|no current event loop|like asyncio|for asyncio")

HOME: ContextVar[SideLoop | None] = ContextVar("greenroom_home_loop", default=None)
"""The asyncio loop to use in place of the one beside trio: that of a test on asyncio."""
_owner: ContextVar[AsyncioTasks | None] = ContextVar("greenroom_asyncio_tasks", default=None)


def asyncio_loop() -> SideLoop:
    """Return the asyncio loop for handlers that need one. On trio."""
    return HOME.get() or current_hops().side_loop


def runs_on_asyncio(consumer_class: Any) -> bool:
    """Say where the ``async def`` handlers of *consumer_class* run: on asyncio, or on trio."""
    chosen: bool | None = consumer_class.on_asyncio
    return load_options().channels_on_asyncio if chosen is None else chosen


def is_made_on_loop(consumer_class: Any) -> bool:
    """Say whether *consumer_class* is to be made on asyncio: ``__init__`` is the user's there."""
    module: str = getattr(consumer_class.__init__, "__module__", None) or ""
    ours = module.startswith(__package__ or "greenroom")
    return bool(module) and not ours and runs_on_asyncio(consumer_class)


def new_consumer(consumer_class: Any, initkwargs: dict[str, Any]) -> Any:
    """
    Return a new object of *consumer_class*.

    Raises:
        RuntimeError: Its ``__init__`` uses asyncio, where no loop of asyncio runs.
    """
    try:
        return consumer_class(**initkwargs)
    except NO_LOOP_ERRORS as error:
        named = names_the_switch(error, consumer_class.__qualname__)
        if named is None:
            raise
        raise named from error


NO_LOOP_ERRORS = (AttributeError, RuntimeError, TypeError)
"""What code of asyncio raises on trio; what else it may mean `names_the_switch` finds out."""


def names_the_switch(error: BaseException, name: str) -> RuntimeError | None:
    """Return what to raise for *error* if it says that asyncio's loop was wanted; else None."""
    if "CHANNELS_ON_ASYNCIO" in str(error):  # one that was named further in
        return None
    if _SAYS_SO.search(str(error)) or (type(error) is AttributeError and _is_asyncios(error)):
        return RuntimeError(NO_LOOP.format(name=name, error=error))
    return None


def _is_asyncios(error: BaseException) -> bool:
    """Whether *error* was raised in asyncio itself: its locks take the loop that is not there."""
    trace, name = error.__traceback__, ""
    while trace is not None:
        trace, name = trace.tb_next, trace.tb_frame.f_globals.get("__name__", "")
    return name.startswith("asyncio.")


class AsyncioTasks:
    """
    What one consumer object runs on the asyncio loop.

    Args:
        name: What to call it in the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._began = False

    async def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """
        Await *function* on the asyncio loop. A checkpoint.

        Cancelled, its task is cancelled, too, and waited for for a while.
        """
        self._began = True
        return await asyncio_loop().run(partial(self._on_loop, function), label=self._name)

    async def end(self, seconds: float) -> None:
        """Cancel what still runs, and wait up to *seconds* for it. Shielded. A checkpoint."""
        if not self._began:
            return
        self._began = False
        with trio.move_on_after(seconds + 1, shield=True):
            await asyncio_loop().run(
                partial(self._end_tasks, seconds), label=f"the end of {self._name}"
            )

    # On the asyncio loop.

    async def _on_loop(self, function: Callable[[], Awaitable[T]]) -> T:
        _list_tasks_of(asyncio.get_running_loop())
        token = _owner.set(self)
        try:
            return await function()
        finally:
            _owner.reset(token)

    def add(self, task: asyncio.Task[Any]) -> None:
        """Take note that *task* is of this object."""
        self._tasks.add(task)

    async def _end_tasks(self, seconds: float) -> None:
        left = {task for task in self._tasks if not task.done()}
        if not left:
            return
        names = ", ".join(sorted(map(_name_of, left)))
        logger.warning("%s has ended and left running, now cancelled: %s", self._name, names)
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=seconds)
        for task in left:
            logger.warning("%s does not end, though it was cancelled: %s", task, place_of(task))


def _name_of(task: asyncio.Task[Any]) -> str:
    name = task.get_name()
    code = getattr(task.get_coro(), "__qualname__", "a task")
    own = name == "None" or name.startswith("Task-")  # None: behind a task factory of somebody else
    return code if own else f"{code} ({name})"


class _Task(asyncio.Task[T]):
    """A task that keeps asyncio's name for it, where a task factory would have it called None."""

    def set_name(self, value: object, /) -> None:
        if value is not None:
            super().set_name(value)


def _list_tasks_of(loop: asyncio.AbstractEventLoop) -> None:
    """Have each task that is made on *loop* listed with its consumer. May be called again."""
    before: Any = loop.get_task_factory()
    if getattr(before, "lists_tasks", False):
        return

    def make(loop: asyncio.AbstractEventLoop, code: Any, **options: Any) -> asyncio.Task[Any]:
        if before is None:
            task = _Task(code, loop=loop, **options)
        else:
            task = before(loop, code, **options)
        context = options.get("context")
        owner = _owner.get() if context is None else context.get(_owner)
        if owner is not None:
            owner.add(task)
        return task

    make.lists_tasks = True  # type: ignore[attr-defined]
    loop.set_task_factory(make)
