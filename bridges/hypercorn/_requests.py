# The tasks of a connection's requests: hypercorn's TaskGroup, but nothing waits for an application
# that has returned.
#
# hypercorn hands an application its events through a queue of ten. What comes behind an answer, for
# one that has not read the body, would wait there for ever, and with it all that its connection
# has still to take.

from collections.abc import Awaitable, Callable
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope


class Requests(TaskGroup):
    """hypercorn's, for the requests of one connection."""

    async def spawn_app(
        self,
        app: AppWrapper,
        config: Config,
        scope: Scope,
        send: Callable[[ASGISendEvent | None], Awaitable[None]],
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        """Start *app*; return what hands it an event, which waits for room if it still runs."""
        request = _Request(app)
        request.put = await super().spawn_app(cast("Any", request.serve), config, scope, send)
        return request.hand_over


class _Request:
    put: Callable[[ASGIReceiveEvent], Awaitable[None]]

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._over = False
        self._waiting: set[trio.CancelScope] = set()

    async def serve(self, *arguments: Any) -> None:
        try:
            await self._app(*arguments)
        finally:
            self._over = True
            for each in self._waiting:
                each.cancel()

    async def hand_over(self, event: ASGIReceiveEvent) -> None:
        if self._over:
            return
        with trio.CancelScope() as scope:
            self._waiting.add(scope)
            try:
                await self.put(event)
            finally:
                self._waiting.discard(scope)
