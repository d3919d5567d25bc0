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
from typing import Any
from weakref import ref

from ...actors import Job, current_job
from ...actors._serving import Serving
from ._hop_settings import hop_settings

INLINE = (
    "a transaction over several hops needs a thread that stays in it, and all code of this run"
    ' shares trio\'s: use serve(..., threads="pool") in this test, or one hop for all of it.'
)

Generators = GeneratorType[Any, Any, Any]


class Kept(Serving):
    """A thread that is kept as long as it holds what only it can end."""

    def __init__(self, job: Job[Any]) -> None:
        super().__init__(job.loop, job.thread_name)
        self._generators: list[ref[Generators]] = []

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
    """What to call, how it ended if its thread goes on with others, and that thread."""

    __slots__ = ("call", "error", "exc_info", "generator", "kept", "value")

    def __init__(
        self, call: Callable[[], Any], error: BaseException | None, generator: Generators | None
    ) -> None:
        self.call, self.exc_info, self.generator = call, error, generator
        self.value: Any = None
        self.error: BaseException | None = None
        self.kept: Kept | None = None

    def __call__(self) -> Any:
        in_transaction = hop_settings().in_transaction
        generator, self.generator = self.generator, None
        error: BaseException | None = None
        value: Any = None
        try:
            value = self.called()
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
        self.kept = kept = Kept(job)
        kept.hold(generator)
        del value, error, generator
        job.let_go()
        with job.parked():
            kept.serve(lambda: not kept.holds)
        return None

    def early_result(self) -> Any:
        """Return or raise what came of it, of a thread that goes on."""
        if self.error is None:
            return self.value
        raise self.error

    def called(self) -> Any:
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


class WorkHere(Work):
    """The same, for a thread that serves already."""

    __slots__ = ("_thread",)

    def __init__(
        self,
        call: Callable[[], Any],
        error: BaseException | None,
        generator: Generators | None,
        thread: Serving,
    ) -> None:
        super().__init__(call, error, generator)
        self._thread = thread

    def __call__(self) -> Any:
        try:
            return self.called()
        finally:
            generator, self.generator = self.generator, None
            if isinstance(self._thread, Kept):
                self._thread.hold(generator)
            del generator
