# The end of the asyncio loop: its tasks are cancelled, its async generators closed, its threads
# ended, each within a part of the time. What refuses is named in the log and left: a server that is
# told to stop has to.

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any

logger = logging.getLogger("greenroom.asyncio")

_PARTS = 4  # of the time: two for the tasks, one for generators, and one to be over in time

_SHOWN = 3  # coroutines


def wind_up(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """End what there is in *loop*, within three quarters of *seconds*. In the loop's thread."""
    part = seconds / _PARTS
    left = _cancel_all(loop, asyncio.all_tasks(loop), part)
    left = _cancel_all(loop, left, part)  # who took no notice is asked again
    for task in left:
        where = place_of(task)
        logger.warning("%s does not end, though it was cancelled: %s", task.get_name(), where)
    open_before = _names(getattr(loop, "_asyncgens", ()))
    if not _run(loop, loop.shutdown_asyncgens(), part / 2):
        logger.warning("an async generator does not close. Open were: %s", open_before)
    if not _run(loop, loop.shutdown_default_executor(), part / 2):
        where = ", ".join(_threads_of_asyncio())
        logger.warning("threads of asyncio.to_thread() go on; the process waits: %s", where)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001


def stack_of_thread(thread: threading.Thread | None) -> str:
    """Say where *thread* is. Any thread."""
    frame = None
    if thread is not None and thread.ident is not None:
        ident = thread.ident
        frame = sys._current_frames().get(ident)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    if frame is None:
        return "its thread has ended"
    return "it is here:\n" + "".join(traceback.format_stack(frame))


def _cancel_all(
    loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]], seconds: float
) -> set[asyncio.Task[Any]]:
    for task in tasks:
        task.cancel()
    if not tasks:
        return tasks
    return _wait(loop, tasks, seconds)


def _wait(
    loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]], seconds: float
) -> set[asyncio.Task[Any]]:
    """Run *loop* until *tasks* are over, or the time; return those that are not."""
    waiting = loop.create_task(asyncio.wait(tasks, timeout=seconds))
    while not waiting.done():
        try:
            loop.run_until_complete(waiting)
        except (SystemExit, KeyboardInterrupt):
            logger.exception("a task of the asyncio loop raised; the loop goes on to its end")
        except RuntimeError:
            if waiting.done():
                raise
            # A task has stopped the loop.
    return waiting.result()[1]


def _run(
    loop: asyncio.AbstractEventLoop, function: Coroutine[Any, Any, None], seconds: float
) -> bool:
    """Await *function*, but not longer than *seconds*; say whether it is over."""
    task = loop.create_task(function)
    return not _wait(loop, {task}, seconds)


def place_of(task: asyncio.Task[Any]) -> str:
    """Name the innermost coroutines of *task*, each with its line. In the loop's thread."""
    code: Any = task.get_coro()
    places: list[str] = []
    while (frame := getattr(code, "cr_frame", None)) is not None:
        line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        places.append(f"{code.__qualname__} ({line})")
        code = code.cr_await
    return " > ".join(places[-_SHOWN:])


def _threads_of_asyncio() -> Iterator[str]:
    frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.name.startswith("asyncio_") and frame is not None:
            code = frame.f_code
            yield f"{thread.name} in {code.co_filename}:{frame.f_lineno} {code.co_qualname}"


def _names(generators: Iterable[Any]) -> str:
    return ", ".join(sorted(each.__qualname__ for each in generators))
