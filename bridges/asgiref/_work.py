# Sync work on its way into a thread, and the thread that is kept behind it.
#
# A thread is kept if the work has left it inside a transaction, or in the midst of a generator that
# it was given: `async for` over a query is Django's generator in one hop a chunk, and what it
# reads from belongs to the thread. Its job lets go of its task, and goes on with the further
# hops of the scope until there is nothing left of either.
#
# Outside of a transaction the thread has given its place away meanwhile, since it locks nobody out.

from __future__ import annotations

from collections.abc import Callable
from types import GeneratorType
from typing import Any, TypeAlias
from weakref import ref

from ...actors import current_job
from ...actors._lowlevel import LoopThread
from ...actors._serving import Serving
from ...actors._threads import tell_late
from ._hop_settings import hop_settings

INLINE = (
    "a transaction over several hops needs a thread that stays in it, and all code of this run"
    ' shares trio\'s: use serve(..., threads="pool") in this test, or one hop for all of it.'
)

Generators: TypeAlias = "GeneratorType[Any, Any, Any]"


class Kept(Serving):
    """A thread that is kept as long as it holds what only it can end."""

    def __init__(self, loop: LoopThread, name: str) -> None:
        super().__init__(loop, name)
        self._generators: list[ref[Generators]] = []
        self.by_transaction = False
        """Whether it was kept for a transaction in the first place."""

    def hold(self, generator: Generators | None) -> None:
        """Be kept until *generator*, if there is one, has ended or is forgotten."""
        if generator is not None and generator.gi_frame is not None:
            # look() may be called wherever the collector of garbage runs.
            self._generators.append(ref(generator, lambda _: self.look()))

    @property
    def holds(self) -> bool:
        """Whether there is something yet. In its own thread."""
        self._generators = [each for each in self._generators if _goes_on(each())]
        return bool(self._generators) or hop_settings().in_transaction()


def _goes_on(generator: Generators | None) -> bool:
    return generator is not None and generator.gi_frame is not None


class Work:
    """
    What to call, how it ended if its thread goes on with others, and that thread.

    Args:
        call: Called without arguments.
        error: What sys.exc_info() tells meanwhile.
        generator: What it reads from, if that has to be read in one thread.
    """

    __slots__ = ("call", "error", "exc_info", "generator", "kept", "thread", "value")

    def __init__(
        self, call: Callable[[], Any], error: BaseException | None, generator: Generators | None
    ) -> None:
        self.call, self.exc_info, self.generator = call, error, generator
        self.value: Any = None
        self.error: BaseException | None = None
        self.thread: Serving | None = None
        """That which serves already, if it is for such a one."""
        self.kept: Kept | None = None

    def __call__(self) -> Any:
        """Make the call, in the thread; keep that thread, if need be."""
        return self._in_any_thread() if self.thread is None else self._in_that_thread(self.thread)

    def _in_that_thread(self, thread: Serving) -> Any:
        generator, self.generator = self.generator, None
        try:
            return self._called()
        finally:
            if isinstance(thread, Kept):
                thread.hold(generator)
            del generator

    def _in_any_thread(self) -> Any:
        in_transaction = hop_settings().in_transaction
        generator, self.generator = self.generator, None
        error: BaseException | None = None
        value: Any = None
        try:
            value = self._called()
        except BaseException as raised:  # noqa: ASYNC103 - the task raises it
            if not in_transaction():
                raise
            error = raised
        if not (_goes_on(generator) or in_transaction()):
            return value
        job = current_job()
        assert job is not None
        if not job.serves:  # a test's, all in one thread
            if in_transaction():
                raise RuntimeError(INLINE) from error
            return value
        self.value, self.error = value, error
        self.kept = kept = Kept(job.loop, job.thread_name)
        kept.by_transaction = in_transaction()
        if job.abandoned:  # asked only now: whoever abandons it then looks for `kept`
            kept.end()
        kept.hold(generator)
        del value, error, generator
        job.let_go()
        with job.parked(kept.has_work):
            kept.serve(lambda: not kept.holds)
        return None

    def give_up(self) -> None:
        """Let go of a thread that goes on: the caller was cancelled."""
        if self.kept is not None:
            self.kept.end()
            tell_late(self.kept.name, self.error)

    def early_result(self) -> Any:
        """Return or raise what came of it, of a thread that goes on."""
        if self.error is None:
            return self.value
        raise self.error

    def _called(self) -> Any:
        """Make the call, and forget it: it refers to the generator."""
        call, handled = self.call, self.exc_info
        del self.call, self.exc_info
        if handled is None:
            return call()
        try:
            raise handled  # so that sys.exc_info() tells there what it tells here
        except BaseException:  # noqa: BLE001, ASYNC103 - in a thread, and handled already
            return call()  # noqa: ASYNC104
        finally:
            del handled
