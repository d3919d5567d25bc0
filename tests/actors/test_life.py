# One incarnation: one handler at a time, each message once, and batches of them.

import threading

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    ActorNotFound,
    GreenroomError,
    WebsocketConsumer,
    handles,
)
from greenroom.supervisor import Options, current_root


class Mixed(WebsocketConsumer):
    """`def` and `async def` handlers that note when they begin and end."""

    log: list[str]
    inside = 0

    def receive(self, text):
        self.step_in()
        self.log.append(text)
        self.step_out()

    @handles("async")
    async def on_async(self, message):
        self.step_in()
        await trio.lowlevel.checkpoint()
        self.log.append(message["text"])
        self.step_out()

    @handles("sync")
    def on_sync(self, message):
        self.step_in()
        self.log.append(message["text"])
        self.step_out()

    @handles("count")
    async def on_count(self, message):
        return len(self.log)

    def step_in(self):
        assert self.inside == 0, "two handlers at once"
        self.inside += 1

    def step_out(self):
        self.inside -= 1


async def test_one_at_a_time() -> None:
    """
    Handlers of one actor never overlap, `def` or `async def`, and run in order of arrival.
    """

    class Chat(Mixed):
        log: list[str] = []

    options = Options(mailbox_capacity=1000)
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        ref = server.root.find(ws.slot.path)
        expected: list[str] = []
        for number in range(200):
            kind = ("async", "sync", "sync")[number % 3]
            ref.cast({"type": kind, "text": str(number)})
            expected.append(str(number))

        assert await ref.call({"type": "count"}) == 200
        assert Chat.log == expected
        assert ws.slot.epoch == 1


async def test_consumed() -> None:
    """
    A run of `def` messages with bad ones in it: each runs once, and in order.
    """

    class Chat(WebsocketConsumer):
        log: list[str] = []
        max_restarts = None

        def receive(self, text):
            self.log.append(text)
            if text.startswith("bad"):
                raise ValueError(text)

        @handles("done")
        def on_done(self, message):
            return self.epoch

    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(chat=Chat, options=options) as server, server.websocket("/chat") as ws:
        texts = [f"bad {n}" if n % 5 == 2 else f"good {n}" for n in range(40)]
        for text in texts:
            ws.send_text(text)
        await settle(lambda: len(Chat.log) == 40)

        assert Chat.log == texts
        assert await server.root.find(ws.slot.path).call({"type": "done"}) == 9
        assert [c.text for c in ws.slot.crashes] == [f"bad {n}" for n in (17, 22, 27, 32, 37)]


async def test_own_scope(autojump_clock: MockClock) -> None:
    """
    A handler that overruns the deadline of a stop is cancelled by its incarnation's own scope.
    """
    ends: list[str] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            began = trio.current_time()
            try:
                await trio.sleep_forever()
            finally:
                ends.append(f"after {trio.current_time() - began:.0f} s")

        async def disconnect(self, code):
            ends.append(f"disconnect {code}")

    async with running(chat=Chat) as server, server.websocket("/chat", timeout=60) as ws:
        ws.send_text("hang")
        await settle(lambda: ws.slot.facts.get("handling"))
        server.root.find(ws.slot.path).stop()
        assert (await ws.closed(60)).code == 1000
        assert happened(server, "slot.fatal") == happened(server, "slot.crashed") == []

    assert ends == ["after 5 s", "disconnect 1000"]


async def test_a_handler_that_fails_as_it_is_stopped() -> None:
    """
    Intent decides: what a handler raises after a stop was asked for is recorded, not restarted.
    """

    class Chat(WebsocketConsumer):
        shutdown_seconds = 0

        async def receive(self, text):
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("in the clean-up")

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("hang")
        await settle(lambda: ws.slot.facts.get("handling"))
        server.root.find(ws.slot.path).stop("enough")
        assert (await ws.closed()).code == 1000

        assert [crash.text for crash in ws.slot.crashes] == ["in the clean-up"]
        (ended,) = happened(server, "slot.ended")
        assert dict(ended.facts) | {"seconds": 0} == {
            "reason": "enough", "how": "stopped", "code": 1000, "seconds": 0,
        }  # fmt: skip


@pytest.mark.parametrize("sync", [False, True])
async def test_cancel_on_disconnect(sync: bool) -> None:
    """
    With cancel_on_disconnect the running handler is cancelled, waiting frames are handled.
    """
    log: list[str] = []
    gate = threading.Event()

    class Async(WebsocketConsumer):
        cancel_on_disconnect = True
        shutdown_seconds = 0.01

        async def receive(self, text):
            log.append(text)
            if text == "hang":
                await trio.sleep_forever()

        def disconnect(self, code):
            log.append(f"disconnect {code}")

    class Sync(Async):
        def receive(self, text):
            log.append(text)
            if text == "hang":
                gate.wait(10)

    async with running(chat=Sync if sync else Async) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("hang")
            ws.send_text("behind")
            await settle(lambda: log and (sync or ws.slot.mailbox == (1, 256)))
            ws.disconnect(1001)
        gate.set()

        assert happened(server, "slot.crashed") == []
    assert log == ["hang", "behind", "disconnect 1001"]


async def test_cancel_on_disconnect_of_waiting_frames() -> None:
    """
    Handlers of frames that wait behind the cancelled one are cancelled too, in bounded time.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        cancel_on_disconnect = True
        shutdown_seconds = 0.01

        async def receive(self, text):
            log.append(text)
            await trio.sleep_forever()

        async def disconnect(self, code):
            log.append(f"disconnect {code}")

    async with running(chat=Chat) as server:
        ws = server.dial("/chat")
        await ws.handshake()
        ended = watch(server, "slot.ended")
        for text in ("one", "two", "three"):
            ws.send_text(text)
        await settle(lambda: log)
        ws.disconnect(1001)
        await ended.until()

    assert log == ["one", "two", "three", "disconnect 1001"]


async def test_without_it_the_running_handler_finishes() -> None:
    """
    By default a peer's end waits for the running handler.
    """
    log: list[str] = []
    go = trio.Event()

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            await go.wait()
            log.append(text)

        async def disconnect(self, code):
            log.append("disconnect")

    async with running(chat=Chat) as server:
        ws = server.dial("/chat")
        await ws.handshake()
        ws.send_text("slow")
        ws.disconnect()
        await settle(lambda: ws._slot.connection.over)  # type: ignore[union-attr]
        assert log == []
        go.set()
        await ws.application_done.wait()

    assert log == ["slow", "disconnect"]


async def test_a_busy_actor_gives_others_a_turn() -> None:
    """
    After batch_messages messages, or batch_seconds, an actor lets others run.
    """

    class Busy(Actor):
        mailbox_capacity = 1000
        turns: list[int] = []

        @handles("n")
        async def on_n(self, message):
            self.turns.append(message["n"])

    class Slow(Busy):
        turns: list[int] = []

    options = Options(batch_messages=10, batch_seconds=60)
    async with running(Busy, options=options) as server:
        ref = server.root.find("/residents/busy")
        for n in range(100):
            ref.cast({"type": "n", "n": n})
        seen: list[int] = []
        while len(Busy.turns) < 100:
            await trio.lowlevel.checkpoint()
            seen.append(len(Busy.turns))
        # Twice as many: it may be the last of one tick and the first of the next.
        assert max(b - a for a, b in zip([0, *seen], seen, strict=False)) <= 20

    async with running(Slow, options=Options(batch_seconds=1e-9)) as server:
        ref = server.root.find("/residents/slow")
        for n in range(10):
            ref.cast({"type": "n", "n": n})
        seen = []
        while len(Slow.turns) < 10:
            await trio.lowlevel.checkpoint()
            seen.append(len(Slow.turns))
        assert len(set(seen) - {0}) >= 5


@pytest.mark.parametrize("sync", [False, True])
async def test_a_forgotten_coroutine_is_a_crash_that_says_so(sync: bool) -> None:
    """
    A handler that returns a coroutine nobody awaits has a bug, and its crash names it.
    """

    class Async(WebsocketConsumer):
        async def receive(self, text):
            return self.other()

        async def other(self):
            raise AssertionError("never runs")

    class Sync(Async):
        def receive(self, text):
            return self.other()

    async with running(chat=Sync if sync else Async) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        await ws.wait_restarted(2)

        (crash,) = ws.slot.crashes
        assert crash.exception == "TypeError"
        assert "returned a coroutine that nobody awaits: declare it `async def`" in crash.text


async def test_frames_without_a_receive_handler() -> None:
    """
    A class without receive() makes each frame a dead letter, and goes on.
    """

    class Deaf(WebsocketConsumer):
        pass

    async with running(deaf=Deaf) as server, server.websocket("/deaf") as ws:
        ws.send_text("hello")
        await settle(lambda: happened(server, "message.dead_letter"))

        (letter,) = happened(server, "message.dead_letter")
        assert letter.facts["reason"] == "the class has no receive handler"
        assert "hello" not in str(letter.facts)
        assert ws.slot.epoch == 1


async def test_handlers_know_where_they_are() -> None:
    """
    path, ref, epoch, find() and current_root() work in handlers and tasks of both kinds.
    """
    seen: dict[str, object] = {}

    class Here(Actor):
        def started(self):
            self.note("def")
            self.start_soon(self.task)

        async def task(self):
            self.note("task from a thread")

        @handles("go")
        async def go(self, message):
            self.note("async def")

        def note(self, where):
            assert self.find(self.path) == self.ref
            assert repr(self) == f"<{type(self).__qualname__} {self.path} epoch {self.epoch}>"
            seen[where] = (self.path, self.epoch, current_root())

    async with running(Here) as server:
        await server.root.find("/residents/here").call({"type": "go"})
        await settle(lambda: len(seen) == 3)

        here = ("/residents/here", 1, server.root)
        assert seen == {"def": here, "async def": here, "task from a thread": here}
    with pytest.raises(LookupError, match="no Greenroom tree runs here"):
        current_root()


async def test_an_unknown_path_is_not_found() -> None:
    """
    find() of a path where nobody lives raises ActorNotFound, a LookupError.
    """

    class Finder(Actor):
        @handles("go")
        async def go(self, message):
            try:
                self.find("/residents/nobody")
            except ActorNotFound as error:
                return isinstance(error, LookupError) and error.path

    async with running(Finder) as server:
        answer = await server.root.find("/residents/finder").call({"type": "go"})

    assert answer == "/residents/nobody"


async def test_instances_of_old_epochs_are_inert() -> None:
    """
    Somebody who kept the old `self` gets Stale from it, and its successor is not touched.
    """
    old: list[WebsocketConsumer] = []

    class Chat(WebsocketConsumer):
        async def receive(self, text):
            old.append(self)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        ws.send_text("x")
        await settle(lambda: old)
        ws.crash()
        await ws.wait_restarted(2)
        for act in (
            lambda: old[0].send(text="late"),
            lambda: old[0].join("late"),
            lambda: old[0].stop(),
            lambda: old[0].close(),
            lambda: old[0].send_after(1, {"type": "x"}),
        ):
            with pytest.raises(GreenroomError, match="epoch 1 of .* is over"):
                act()

        assert [event.epoch for event in happened(server, "work.stale")] == [1] * 5
        assert (ws.slot.state, ws.slot.groups) == ("running", ())
