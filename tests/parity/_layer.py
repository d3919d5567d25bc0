# A channel layer as a project may have written one: a subclass of BaseChannelLayer.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import importlib
import sys

_base = (
    importlib.import_module("greenroom.bridges.channels.layers")
    if "greenroom.bridges.channels" in sys.modules
    else importlib.import_module("channels.layers")
)


class OwnLayer(_base.BaseChannelLayer):
    """Says how large it was made."""

    def __init__(self, size: int = 0, **config: object) -> None:
        super().__init__(**config)
        self.size = size


class WorkingLayer(_base.BaseChannelLayer):
    """
    Keeps lists and polls, as nobody should; `api` is set by the case.
    """

    def __init__(self, **config: object) -> None:
        super().__init__(**config)
        self.calls: list[str] = []
        self._queues: dict[str, list[object]] = {}
        self._groups: dict[str, list[str]] = {}

    async def new_channel(self, prefix: str = "own") -> str:
        """Name a channel."""
        self.calls.append("new_channel")
        return f"{prefix}!{len(self.calls)}"

    async def send(self, channel: str, message: dict[str, object]) -> None:
        """Keep it."""
        self._queues.setdefault(channel, []).append(message)

    async def receive(self, channel: str) -> object:
        """Wait for one."""
        queue = self._queues.setdefault(channel, [])
        while not queue:
            await self.api.sleep(0.002)
        return queue.pop(0)

    async def group_add(self, group: str, channel: str) -> None:
        """Join."""
        self.calls.append(f"add {group}")
        self._groups.setdefault(group, []).append(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Leave."""
        self.calls.append(f"discard {group}")
        self._groups[group].remove(channel)

    async def group_send(self, group: str, message: dict[str, object]) -> None:
        """Send to all."""
        for channel in self._groups.get(group, []):
            await self.send(channel, message)


class GrouplessLayer:
    """
    Has the least that a layer may have.
    """

    async def new_channel(self) -> str:
        """Name a channel."""
        return "one"

    async def receive(self, channel: str) -> object:
        """Wait for ever."""
        await self.api.sleep(3600)
