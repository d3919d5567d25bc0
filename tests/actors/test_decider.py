# What a class says of an error, by its type. The rule first, without any loop; then the one
# answer that the loop itself carries out: resume. The others are in
# tests/supervisor/test_slot_directives.py.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import Actor, CallFailed, Directive, WebsocketConsumer, handles
from greenroom.actors._decider import directive_for
from greenroom.bridges.testing import HandshakeRefused

RULES = {LookupError: "resume", OSError: "stop", Exception: Directive.ESCALATE}


async def _cancelled_beside(error: Exception) -> BaseException:
    """Return the group of *error* and a Cancelled."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(0)
        except trio.Cancelled as cancelled:
            return BaseExceptionGroup("", [error, cancelled])
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "directive"),
    [
        (KeyError("x"), "resume"),
        (ConnectionError(), "stop"),
        (ValueError(), "escalate"),
        (ExceptionGroup("", [KeyError("x")]), "resume"),
        (ExceptionGroup("", [ExceptionGroup("", [OSError()])]), "stop"),
        (ExceptionGroup("", [KeyError("x"), KeyError("y")]), "escalate"),
    ],
)
def test_the_first_type_that_matches_decides(error: Exception, directive: str) -> None:
    """
    In the mapping's order; a group of one error is that error, a group of two only a group.
    """
    assert directive_for(RULES, error) is Directive(directive)
    assert directive_for({Exception: "stop", LookupError: "resume"}, error) is Directive.STOP


def test_what_is_not_listed_has_no_directive() -> None:
    """
    An error of no listed type is left to the restart policy; so is all without a mapping.
    """
    assert directive_for({OSError: "stop"}, ValueError()) is None
    assert directive_for({}, ValueError()) is None
    assert directive_for(RULES, KeyboardInterrupt()) is None


async def test_a_cancelled_in_the_group_is_no_error() -> None:
    """
    A clean-up that raised while it was cancelled is judged by what it raised.
    """
    group = await _cancelled_beside(KeyError("x"))

    assert directive_for(RULES, group) is Directive.RESUME


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, BaseException, int, "ValueError"])
def test_fatal_errors_cannot_be_supervised(kind: object) -> None:
    """
    A key that is no subclass of Exception is refused when the class is created.
    """
    with pytest.raises(TypeError, match="fatal errors, such as KeyboardInterrupt") as refused:
        type("Wrong", (Actor,), {"supervise": {kind: "restart"}})

    assert f"Got: {kind!r}" in str(refused.value)


@pytest.mark.parametrize("directive", ["ignore", None, Directive])
def test_an_unknown_directive_is_refused(directive: object) -> None:
    """
    A value that is no directive is refused with the four that there are.
    """
    told = r"Wrong.supervise\[ValueError\] must be one of 'resume', 'restart', 'stop', 'escalate'"
    with pytest.raises(ValueError, match=told) as refused:
        type("Wrong", (Actor,), {"supervise": {ValueError: directive}})

    assert f"Got: {directive!r}" in str(refused.value)


class Sync(WebsocketConsumer):
    """Counts what it handles, and fails at what it is told to."""

    supervise = {ValueError: "resume"}

    def connect(self, message):
        self.count = 0
        self.accept()

    def receive(self, text):
        self.count += 1
        if text == "boom":
            raise ValueError("boom")
        if text == "group":
            raise ExceptionGroup("", [ValueError("boom")])
        if text == "other":
            raise OSError("not listed")
        if text == "timer":
            self.send_after(0, {"type": "boom"})
        elif text == "task":
            self.start_soon(self.fail)
        else:
            self.send(text=f"{self.epoch}: {text} {self.count}")

    @handles("boom")
    def on_boom(self, message):
        self.count += 1
        raise ValueError("boom")

    async def fail(self):
        raise ValueError("boom")


class Async(Sync):
    async def connect(self, message):
        super().connect(message)

    async def receive(self, text):
        super().receive(text)

    @handles("boom")
    async def on_boom(self, message):
        super().on_boom(message)


class Cancellable(Async):
    cancel_on_disconnect = True


@pytest.fixture(params=[Sync, Async, Cancellable])
def chat(request: pytest.FixtureRequest) -> type[Sync]:
    return type("Chat", (request.param,), {})


async def test_resume_keeps_the_state_and_serves_the_next(chat: type[Sync]) -> None:
    """
    resume: state as the handler left it, next message served, order kept, nothing counted.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        for text in ("a", "boom", "b", "group", "c"):
            ws.send_text(text)

        assert [await ws.receive() for _ in "abc"] == ["1: a 1", "1: b 3", "1: c 5"]
        slot = ws.slot
        assert (slot.epoch, slot.restarts_left) == (1, 3)
        resumed = happened(server, "slot.resumed", slot.path)
        assert [event.facts["message"] for event in resumed] == [
            "text frame of 4", "text frame of 5",
        ]  # fmt: skip
        assert happened(server, "slot.crashed") == happened(server, "slot.restarted") == []
        assert [crash.directive for crash in slot.crashes] == ["resume", "resume"]
        assert 'raise ValueError("boom")' in slot.crashes[0].traceback
        assert "greenroom/actors/_loop" not in slot.crashes[0].traceback


async def test_resume_has_no_budget(chat: type[Sync]) -> None:
    """
    However often a message is dropped, the socket stays open.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        for _ in range(50):
            ws.send_text("boom")
        ws.send_text("a")

        assert await ws.receive() == "1: a 51"
        assert len(happened(server, "slot.resumed")) == 50
        assert len(ws.slot.crashes) == 5


async def test_a_resumed_call_fails(chat: type[Sync]) -> None:
    """
    The call that was being handled fails with CallFailed; the actor is the same one.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        ref = server.root.find(ws.slot.path)
        with pytest.raises(CallFailed, match="ValueError: boom") as caught:
            await ref.call({"type": "boom"})
        ws.send_text("a")

        assert isinstance(caught.value.__cause__, ValueError)
        assert await ws.receive() == "1: a 2"


async def test_a_tick_is_resumed(chat: type[Sync]) -> None:
    """
    A timer's message whose handler raised is dropped, as any other is.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        resumed = watch(server, "slot.resumed")
        ws.send_text("timer")
        event = await resumed.until()
        ws.send_text("a")

        assert event.facts["message"] == "timer 'boom'"
        assert await ws.receive() == "1: a 3"


@pytest.mark.parametrize("how", ["task", "other"])
async def test_what_cannot_be_resumed_is_a_restart(chat: type[Sync], how: str) -> None:
    """
    A task's error, though its type is listed, and an error that is not listed: a restart.
    """
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        ws.send_text(how)
        await ws.wait_restarted(2)
        ws.send_text("a")

        assert await ws.receive() == "2: a 1"
        assert ws.slot.restarts_left == 2
        assert happened(server, "slot.resumed") == []
        (crash,) = ws.slot.crashes
        assert crash.directive == ("restart" if how == "task" else "")


@pytest.mark.parametrize("directive", list(Directive))
async def test_a_connect_that_raises_is_not_asked_about(directive: Directive) -> None:
    """
    connect raising refuses the client with 500, whatever the class says of the error.
    """

    class Chat(WebsocketConsumer):
        supervise = {ValueError: directive}

        async def connect(self, message):
            raise ValueError("no room")

    async with running(chat=Chat) as server:
        with pytest.raises(HandshakeRefused) as refused:
            async with server.websocket("/chat"):
                pass
        assert refused.value.status == 500
        assert happened(server, "slot.resumed") == []
        assert "directive" not in happened(server, "slot.crashed")[0].facts
        assert server.root.up


async def test_a_hook_that_raises_cannot_be_resumed() -> None:
    """
    started raising after a restart is a crash within the budget: the next one begins.
    """

    class Odd(Actor):
        supervise = {ValueError: "resume"}

        async def started(self):
            if self.epoch == 2:
                raise ValueError("not yet")

        @handles("boom")
        async def on_boom(self, message):
            raise OSError

        @handles("epoch")
        async def on_epoch(self, message):
            return self.epoch

    async with running(Odd) as server:
        ref = server.root.find("/residents/odd")
        ref.cast({"type": "boom"})

        assert await ref.call({"type": "epoch"}) == 3
        assert happened(server, "slot.resumed") == []


@pytest.mark.parametrize("in_group", [False, True])
async def test_a_fatal_error_is_never_resumed(in_group: bool) -> None:
    """
    SystemExit, also in a group with a listed error, ends the slot: 1011, one fatal event.
    """

    class Chat(WebsocketConsumer):
        supervise = {Exception: "resume"}

        async def receive(self, text):
            error = SystemExit(1)
            raise BaseExceptionGroup("", [ValueError(), error]) if in_group else error

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("out")

        assert (await ws.closed()).code == 1011
        assert len(happened(server, "slot.fatal")) == 1
        assert happened(server, "slot.resumed") == []


async def test_the_end_of_the_peer_is_no_error_to_resume() -> None:
    """
    Disconnected that escapes a handler is the end, even where every error is resumed.
    """
    ends: list[Any] = []

    class Chat(WebsocketConsumer):
        supervise = {Exception: "resume"}

        async def receive(self, text):
            await self.close(4000)
            await self.send(text="too late")

        async def disconnect(self, code):
            ends.append(code)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("out")

        assert (await ws.closed()).code == 4000
        await settle(lambda: ends == [4000])
        assert happened(server, "slot.resumed") == []


async def test_work_that_was_told_to_stop_is_not_resumed() -> None:
    """
    Stale in a thread that a stop has told is obedience, no error to resume.
    """
    begun, go = threading.Event(), threading.Event()

    class Chat(WebsocketConsumer):
        supervise = {Exception: "resume"}

        def receive(self, text):
            begun.set()
            go.wait(10)
            self.send(text="late")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("go")
        await settle(begun.is_set)
        server.root.find(ws.slot.path).stop()
        go.set()
        await ws.closed()

        assert len(happened(server, "work.stale")) == 1
        assert happened(server, "slot.resumed") == []


async def test_a_resumed_actor_lets_others_run() -> None:
    """
    A flood of messages that all fail takes no more turns from others than one that does not.
    """

    class Odd(Actor):
        supervise = {ValueError: "resume"}
        mailbox_capacity = 10_000

        @handles("boom")
        async def on_boom(self, message):
            raise ValueError

        @handles("last")
        async def on_last(self, message):
            return "last"

    async with running(Odd) as server, trio.open_nursery() as nursery:
        ref = server.root.find("/residents/odd")
        turns: list[int] = []

        async def count() -> None:
            while True:
                turns.append(1)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(count)
        for _ in range(640):
            ref.cast({"type": "boom"})
        assert await ref.call({"type": "last"}, timeout=60) == "last"
        nursery.cancel_scope.cancel()

        assert len(turns) >= 10
