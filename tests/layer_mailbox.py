# A consumer as a channel layer sees it: a mailbox that is attached to a channel.

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio


class Mailbox:
    """Takes what is delivered to a consumer, and lets trio wait for it."""

    def __init__(self, room: float = float("inf")) -> None:
        self.got: list[Any] = []
        self.room = room
        self._token = trio.lowlevel.current_trio_token()
        self._more = trio.Event()

    def deliver(self, message: dict[str, Any]) -> bool:
        if len(self.got) >= self.room:
            return False
        self.got.append(message)
        self._token.run_sync_soon(self._wake)
        return True

    def _wake(self) -> None:
        self._more.set()
        self._more = trio.Event()

    async def until(self, count: int) -> list[Any]:
        with trio.fail_after(20):
            while len(self.got) < count:
                await self._more.wait()
        return self.got

    async def until_got(self, message: Any) -> None:
        """Wait until *message* has come."""
        with trio.fail_after(20):
            while message not in self.got:
                await self._more.wait()

    async def until_heard(self, layer: Any, group: str) -> None:
        """Send probes to *group* by *layer* until a new one comes; each may be lost."""
        before = len(self.got)
        with trio.fail_after(30):
            while len(self.got) == before:
                with suppress(ConnectionError):
                    await layer.group_send(group, {"type": "probe"})
                with trio.move_on_after(0.05):
                    await self._more.wait()


async def until(condition: Callable[[], object]) -> None:
    """Wait until *condition*, of what other threads or servers do, holds."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)


async def consumer(layer: Any, *groups: str, room: float = float("inf")) -> tuple[str, Mailbox]:
    mailbox = Mailbox(room)
    channel = await layer.new_channel()
    layer.attach(channel, mailbox.deliver)
    for group in groups:
        await layer.group_add(group, channel)
    return channel, mailbox
