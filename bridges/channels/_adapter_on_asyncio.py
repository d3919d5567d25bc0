# The actor of a consumer whose `async def` handlers are written for asyncio: they run on the loop
# beside trio, and so does an `__init__` of its own, since that may start tasks there.

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import trio

from ._adapter import Adapter
from ._on_asyncio import AsyncioTasks, is_made_on_loop
from .exceptions import StopConsumer


class OnAsyncio(Adapter, runtime=True):
    """For an AsyncConsumer whose handlers are written for asyncio."""

    __slots__ = ("_init", "_tasks")
    __greenroom_actor__: ClassVar[bool] = True
    catch_all: ClassVar[str] = "other"

    def __init__(self, **initkwargs: Any) -> None:
        super().__init__(**initkwargs)
        self._tasks = AsyncioTasks(self._life.host.path)

    async def tell_restarted(self) -> None:
        if self.epoch > 1:
            await self._tasks.run(self._consumer.restarted)

    def _new_consumer(self, initkwargs: dict[str, Any]) -> Any:
        consumer_class, self._init = self.consumer_class, None
        if not is_made_on_loop(consumer_class):
            return super()._new_consumer(initkwargs)
        consumer = consumer_class.__new__(consumer_class, **initkwargs)
        self._init = partial(consumer.__init__, **initkwargs)  # on the loop, before all else
        return consumer

    async def _tasks_begun(self) -> AsyncioTasks:
        if self._init is not None:
            with trio.fail_after(self._life.host.handshake_seconds):
                await self._initialise()
        return self._tasks

    async def _initialise(self) -> None:
        """Run the consumer's ``__init__`` on the loop; what it was given already it keeps."""
        init, self._init = self._init, None
        consumer: Any = self._consumer
        attributes: dict[str, Any] = consumer.__dict__
        given = dict(attributes)

        async def run() -> None:  # noqa: ASYNC124 - what the loop awaits is a coroutine
            if init is not None:
                init()
            attributes.update(given)  # before the tasks that it has started begin

        try:
            await self._tasks.run(run)
        except BaseException:
            await self._tasks.end(self._life.host.shutdown_seconds)  # noqa: ASYNC102, ASYNC120
            raise

    async def _run(self, function: Any) -> Any:
        return await self._tasks.run(function)

    async def connect(self, message: Any) -> None:
        await self.receive(message)
        self._opened()

    async def receive(self, message: Any) -> None:
        try:
            await self._tasks.run(partial(self._consumer.dispatch, message))
        except StopConsumer:
            self._done()
        except trio.Cancelled:
            raise
        except BaseException:
            await self._tasks.end(self._life.host.shutdown_seconds)  # noqa: ASYNC120 - shielded
            raise

    async def other(self, message: Any) -> None:
        self._is_end(message)
        await self.receive(message)

    async def disconnect(self, message: Any) -> None:
        seconds = self._life.host.shutdown_seconds
        try:
            if self._last():
                if self._init is not None:  # an object made for this alone
                    await self._initialise()
                await self.receive(message)
        finally:
            if self._seat.tasks is not None:
                await self._seat.tasks.end(seconds)  # noqa: ASYNC102 - shielded, with a deadline
            await self._tasks.end(seconds)  # noqa: ASYNC102 - likewise
