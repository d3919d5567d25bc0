# An actor that says "not today" when it is started.

import logging
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import Actor, ActorNotFound, Decline, WebsocketConsumer, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import HandshakeRefused, StartupFailed, serve
from greenroom.supervisor._tree import render


class Radio(Actor):
    """Declines in the incarnations that `when` names."""

    log: list[str]
    when: tuple[int, ...] = (1,)

    async def started(self):
        self.log.append(f"{self.epoch} started")
        self.start_soon(trio.sleep_forever)
        if self.epoch in self.when:
            raise Decline("no radio on this machine")

    async def stopped(self, reason):
        self.log.append(f"stopped: {reason}")

    @handles("boom")
    async def boom(self, message):
        raise ValueError("boom")


class InAThread(Radio):
    """The same in a worker thread."""

    def started(self):
        self.log.append(f"{self.epoch} started")
        if self.epoch in self.when:
            raise Decline("no radio on this machine")


class InANursery(Radio):
    """The same in a nursery, out of which it comes in a group."""

    async def started(self):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().started)


class AtOnce(Radio):
    """The same before there is anything at all."""

    def __init__(self) -> None:
        self.log.append("1 started")
        raise Decline("no radio on this machine")


class Other(Actor):
    pass


@pytest.fixture(params=[Radio, InAThread, InANursery, AtOnce])
def radio(request: pytest.FixtureRequest) -> type[Radio]:
    return type("Radio", (request.param,), {"log": []})


async def test_a_decline_is_no_failure(
    radio: type[Radio], caplog: pytest.LogCaptureFixture
) -> None:
    """
    The startup goes on, readiness does not suffer, nothing is logged as a failure.
    """
    caplog.set_level(logging.DEBUG, "greenroom")
    async with running(Other, radio, type("Third", (Other,), {})) as server:
        assert server.root.readiness() == []
        states = {n.name: n.state for n in server.root.snapshot().children[1].children}
        assert states == {"other": "running", "radio": "declined", "third": "running"}
        (event,) = happened(server, "slot.declined")
        (ended,) = happened(server, "slot.ended")
        assert happened(server, "slot.crashed") == happened(server, "disconnect.failed") == []

    assert (event.path, event.facts) == ("/residents/radio", {"reason": "no radio on this machine"})
    assert ended.facts["reason"] == "declined: no radio on this machine"
    assert ended.facts["how"] == "declined"
    assert radio.log == ["1 started"]  # stopped() is for what has been
    loud = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert loud == []


async def test_the_name_of_who_declined_is_free(radio: type[Radio]) -> None:
    """
    When the startup is over nobody is found at the path; what is sent there is a dead letter.
    """
    async with running(radio) as server:
        with pytest.raises(ActorNotFound):
            server.root.find("/residents/radio")
        assert server.root.snapshot().find("/residents/radio") is not None


async def test_the_tree_says_why() -> None:
    """
    The text of the tree shows the state and the reason, and counts it among the quiet ones.
    """
    radio = type("Radio", (Radio,), {"log": []})
    async with running(radio) as server:
        node = server.root.snapshot().children[1].children[0]

    assert node.facts["reason"] == "declined: no radio on this machine"
    assert render(node).startswith("radio  Radio  declined  epoch 1")


async def test_a_decline_after_a_crash_ends_the_slot() -> None:
    """
    Raised by a restart it ends the slot likewise; stopped() runs, for the slot has been.
    """
    radio = type("Radio", (Radio,), {"log": [], "when": (2,)})
    async with running(radio) as server:
        ended = watch(server, "slot.ended")
        server.root.find("/residents/radio").cast({"type": "boom"})
        event = await ended.until()

        assert event.facts["how"] == "declined"
        assert server.root.readiness() == []
        (node,) = server.root.snapshot().children[1].children
        assert (node.state, node.epoch, len(node.crashes)) == ("declined", 2, 1)

    assert radio.log == ["1 started", "2 started", "stopped: declined: no radio on this machine"]


async def test_one_that_declined_can_be_stopped_with_the_rest(radio: type[Radio]) -> None:
    """
    Asking a declined slot to end changes nothing and waits for nothing.
    """
    async with running(radio) as server:
        residents: Any = server.root.residents
        (entry,) = residents._entries.values()
        slot = entry.body
        slot.request_stop("again")
        assert slot.mailbox.control == []
        assert server.root.snapshot().children[1].children[0].state == "declined"


async def test_a_decline_anywhere_else_is_a_crash() -> None:
    """
    In a handler, and beside another error in a group, Decline is an error like any.
    """

    class Late(Actor):
        @handles("go")
        async def go(self, message):
            raise Decline("too late")

    class Worse(Actor):
        async def started(self):
            raise ExceptionGroup("two", [Decline("one"), ValueError("two")])

    async with running(Late) as server:
        crashed = watch(server, "slot.crashed")
        server.root.find("/residents/late").cast({"type": "go"})
        assert (await crashed.until()).facts["message"] == "call 'go'".removeprefix("call ")
    with pytest.raises(StartupFailed, match="/residents/worse failed to start"):
        async with serve(Application(children=[Worse])):
            pytest.fail("it started")


@pytest.mark.parametrize("where", ["started", "connect", "restarted"])
async def test_a_consumer_that_declines(where: str) -> None:
    """
    A consumer's Decline refuses the socket with 403; of an open one it is a plain close.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        async def started(self):
            if where == "started":
                raise Decline

        async def connect(self):
            if where == "connect":
                raise Decline("closed on Sundays")
            await self.accept()

        async def receive(self, text):
            raise ValueError("boom")

        async def restarted(self, reason):
            raise Decline("rather not")

        async def disconnect(self, code):
            log.append(f"disconnect {code}")

    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        if where == "restarted":
            async with server.websocket("/chat") as ws:
                ws.send_text("go")
                assert (await ws.closed()).code == 1000
        else:
            with pytest.raises(HandshakeRefused) as refused:
                async with server.websocket("/chat"):
                    pytest.fail("it was accepted")
            assert refused.value.status == 403
        event = await ended.until()
        assert event.facts["how"] == "declined"
        assert len(happened(server, "slot.crashed")) == (where == "restarted")
        await settle(lambda: True)

    assert log == ([] if where == "started" else ["disconnect 1000"])
