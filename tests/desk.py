# An actor that answers later, and somebody who asks it: for tests of deferred replies.

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from greenroom.actors import Actor, ActorRef, DeferredReply, handles
from greenroom.bridges.testing import ServerDriver


class Desk(Actor):
    """Owes an answer to each question, until it is told what to do."""

    on_exceeded = "stop"
    mailbox_capacity = 3

    def __init__(self) -> None:
        self.owed: list[DeferredReply] = []

    @handles("ask")
    async def on_ask(self, message):
        self.owed.append(self.reply_later())

    @handles("do")
    async def on_do(self, message):
        return message["what"](self)

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError("boom")

    async def fails(self):
        raise ValueError("boom")


class InThreads(Desk):
    @handles("ask")
    def on_ask(self, message):
        self.owed.append(self.reply_later())

    @handles("do")
    def on_do(self, message):
        return message["what"](self)


ASK, BOOM, PATH = {"type": "ask"}, {"type": "boom"}, "/residents/desk"


class Asking:
    """Somebody who calls, and keeps what came of it."""

    def __init__(self, ref: ActorRef, timeout: float = 1000) -> None:
        self.ref, self.timeout = ref, timeout
        self.answers: list[object] = []

    async def ask(self, message: object = ASK) -> None:
        await self._ask(partial(self.ref.call, message, self.timeout))

    async def ask_in_thread(self) -> None:
        call = partial(self.ref.call_blocking, ASK, self.timeout)
        await self._ask(partial(trio.to_thread.run_sync, call))

    async def _ask(self, call: Callable[[], Any]) -> None:
        try:
            self.answers.append(await call())
        except Exception as error:
            self.answers.append(error)


def do(server: ServerDriver, what: Callable[[Any], object]) -> Any:
    return server.root.find(PATH).call({"type": "do", "what": what}, timeout=60)


def owed(server: ServerDriver) -> object:
    node = server.root.snapshot().find(PATH)
    assert node is not None
    return node.facts.get("owed", 0)
