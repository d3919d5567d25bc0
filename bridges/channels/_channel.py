# The channel of one consumer: the name under which the layer reaches it.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

Run = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


def attaches(layer: object) -> bool:
    """Whether *layer* is of ours: it delivers by a call, and knows no event loop."""
    return hasattr(layer, "attach")


async def called(function: Callable[[], Awaitable[Any]]) -> Any:
    """Await *function* here. A checkpoint as that is."""
    return await function()


class Channel:
    """
    A layer, and the name of one channel in it.

    Args:
        layer: None if there is none.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.name: str | None = None

    async def open(self, run: Run) -> None:
        """
        Ask the layer for a name, once. A checkpoint as the layer's is.

        Args:
            run: Awaits what a layer that is not ours does, on the loop it is written for.
        """
        if self.layer is not None and self.name is None:
            ours = attaches(self.layer)
            self.name = await (self.layer.new_channel() if ours else run(self.layer.new_channel))

    def adopt(self) -> None:
        """Have the layer keep it in its groups until `forget`."""
        if self.name is not None and attaches(self.layer):
            self.layer.adopt(self.name)

    def forget(self) -> None:
        """Have the layer take it out of all groups: nobody receives there any more."""
        if self.name is not None and attaches(self.layer):
            self.layer.forget(self.name)

    def receiver(self, run: Run) -> Callable[[], Awaitable[Any]]:
        """Return what awaits the next message."""
        receive = partial(self.layer.receive, self.name)
        return receive if attaches(self.layer) else partial(run, receive)

    def give_to(self, consumer: Any) -> None:
        """Set what *consumer* knows of it."""
        consumer.channel_layer = self.layer
        if self.name is not None:
            consumer.channel_name = self.name
            consumer.channel_receive = partial(self.layer.receive, self.name)
