# A consumer closes its own socket while one of its handlers still runs, on both ways to it.

from typing import Any

import pytest
import trio
from helpers import running, watch

from greenroom.actors import WebsocketConsumer, concurrent

from ._two_ways import WAYS, opened

pytestmark = pytest.mark.parametrize("way", WAYS)


class Waiting(WebsocketConsumer):
    """Waits for ever when a message comes, and closes when a task of it says so."""

    cancel_on_disconnect = True
    ends: list[object]

    async def receive(self, text: str) -> None:
        self.start_soon(self.shut)
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append(text)

    async def shut(self) -> None:
        await self.close(4000, "enough")

    async def disconnect(self, code: int) -> None:
        self.ends.append(code)


class Beside(Waiting):
    @concurrent(2)
    async def receive(self, text: str) -> None:
        if text == "close":
            await self.shut()
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append(text)


@pytest.mark.parametrize("kind", [Waiting, Beside])
async def test_the_end_behind_its_own_close_cancels(way: str, kind: type[Waiting]) -> None:
    """
    Who is cancelled by the end of the connection is so, too, if the class has closed it.
    """
    chat: Any = type("Chat", (kind,), {"ends": []})
    async with running(chat=chat) as server:
        ended = watch(server, "slot.ended")
        async with opened(way, server) as client:
            await client.send("wait", "close")
            assert await client.closed() == (4000, "enough")
            await ended.until()
        assert chat.ends[-1] == 4000
        assert "wait" in chat.ends


async def test_who_is_not_cancelled_finishes(way: str) -> None:
    """
    Without the mark the handler that runs goes on behind the close, as long as it likes.
    """
    gate, ends = trio.Event(), []

    class Patient(WebsocketConsumer):
        async def receive(self) -> None:
            await self.close(4000)
            await gate.wait()
            ends.append("finished")

        async def disconnect(self, code: int) -> None:
            ends.append(code)

    async with running(chat=Patient) as server:
        ended = watch(server, "slot.ended")
        async with opened(way, server) as client:
            await client.send("x")
            assert (await client.closed())[0] == 4000
            await trio.testing.wait_all_tasks_blocked()
            assert ends == []
            gate.set()
            await ended.until()
    assert ends == ["finished", 4000]
