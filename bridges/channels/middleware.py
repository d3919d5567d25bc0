# The base of middleware around consumers, as Channels has it: an application that is given the
# inner one, and hands it a scope of its own.

from typing import Any


class BaseMiddleware:
    """
    A middleware around *inner*, any ASGI application.

    One instance serves all connections: what belongs to one of them goes into its scope, not
    onto ``self``.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Call the inner application with a copy of *scope*. A checkpoint as that one is."""
        return await self.inner({**scope}, receive, send)
