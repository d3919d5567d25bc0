# Consumers of plain channels, outside of any connection: what `manage.py runworker` runs.
#
# Each channel has a supervised actor in a tree of the worker's own. It takes a message only when
# its consumer asks for one, so that nothing waits in this process. What a consumer raises, or the
# layer, is a crash of that actor, with its traceback in the log: the message that it was handling
# is gone, the next one meets a new consumer. In Channels a listener that has failed is not noticed
# while another one lives.

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import trio

from ...actors import Actor
from ...supervisor import Backoff, ChildSpec, Root
from ...supervisor._current import set_current_root
from ..asgi._kinds import kinds_of
from ..asgi._routing import printable_route
from ..asgi._signals import leave, stop_on_signal
from ..django._database import database_hooks
from ..django._on_trio import hops_of, teach_asgiref
from ..django._settings import load_options
from ..engines import LocalEngine

logger = logging.getLogger("django.channels.worker")

_BACKOFF = Backoff(0.1, 5.0, 0.5)


class ChannelListener(Actor):
    """
    Has the messages of one channel handled by a consumer, one after the other.

    Args:
        application: Called with a scope of type ``channel`` for each new consumer.
        channel: Where its messages come from.
        channel_layer: Who has them.
    """

    def __init__(self, application: Any, channel: str, channel_layer: Any) -> None:
        self.application = application
        self.channel = channel
        self.channel_layer = channel_layer

    async def started(self) -> None:
        """Begin to listen."""
        self.start_soon(self.listen)

    async def listen(self) -> None:
        """Make a consumer for the first message, and a new one each time it has ended."""
        while True:
            first: list[dict[str, Any]] = [await self.next_message()]

            async def receive(first: list[dict[str, Any]] = first) -> dict[str, Any]:
                return first.pop() if first else await self.next_message()

            await self.application({"type": "channel", "channel": self.channel}, receive, _no_send)

    async def next_message(self) -> dict[str, Any]:
        """
        Wait for the next message.

        Raises:
            ValueError: It has no type.
        """
        message: dict[str, Any] = await self.channel_layer.receive(self.channel)
        if not message.get("type"):
            raise ValueError("Worker received message with no type.")
        return message

    def describe(self) -> dict[str, Any]:
        """Say which channel it is."""
        return {"channel": self.channel}


async def _no_send(_message: object) -> None:  # noqa: ASYNC124 - as ASGI has it
    raise NotImplementedError(
        "a consumer on a channel has nobody to send to. Send to a channel or a group:"
        " await self.channel_layer.send(...)"
    )


class Worker:
    """
    Runs consumers for *channels* until it is stopped.

    Args:
        application: An ASGI application that serves scopes of type ``channel``.
        channels: The names to listen on.
        channel_layer: The layer that has them.
        max_applications: Taken as Channels does; there is one consumer for each channel.

    Raises:
        ValueError: There is no layer.
    """

    def __init__(
        self,
        application: Any,
        channels: Sequence[str],
        channel_layer: Any,
        max_applications: int = 1000,
    ) -> None:
        if channel_layer is None:
            raise ValueError("Channel layer is not valid")
        self.application = application
        self.channels = list(dict.fromkeys(channels))
        self.channel_layer = channel_layer
        self.max_applications = max_applications
        self.root: Root | None = None
        """The worker's tree, while it runs."""

    def run(self) -> None:
        """Work until a signal says stop. Blocks; in a thread without an event loop."""
        trio.run(self.handle)

    def children(self) -> list[ChildSpec]:
        """Return what each channel's actor is made of."""
        return [
            ChildSpec(
                actor=ChannelListener,
                name=printable_route(channel),
                kwargs={
                    "application": self.application,
                    "channel": channel,
                    "channel_layer": self.channel_layer,
                },
                max_restarts=None,  # a failing message each second must not stop the others
                backoff=_BACKOFF,
            )
            for channel in self.channels
        ]

    async def handle(
        self, *, task_status: trio.TaskStatus[Root] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Work until the tree is stopped, or until cancelled. Always a checkpoint."""
        teach_asgiref()
        options = load_options()
        self.root = root = Root(
            LocalEngine(),
            children=self.children(),
            options=options,
            hooks=database_hooks(),
            leave=leave,
            kinds=kinds_of(options),
        )
        set_current_root(root)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(hops_of(root))
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(root.run)
            await nursery.start(stop_on_signal, root)
            task_status.started(root)
            await root.stopped.wait()
            nursery.cancel_scope.cancel()
