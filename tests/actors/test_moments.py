# What runs between messages: after_start() before the first, idle() after a silence.

from typing import Any

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, Disconnected, WebsocketConsumer, handles
from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Quiet(Actor):
    """Writes down when it was idle and when a message came, in virtual seconds."""

    idle_seconds = 1.0
    restart = "transient"
    log: list[Any]
    epoch_began = 0.0

    def __init__(self) -> None:
        self.began = trio.current_time()

    def note(self, what: str) -> None:
        self.log.append((what, round(trio.current_time() - self.began, 3)))

    async def idle(self):
        self.note("idle")

    @handles("message")
    async def message(self, message):
        self.note("message")

    @handles("boom")
    async def boom(self, message):
        raise ValueError("boom")


def quiet(**attributes: Any) -> type[Quiet]:
    return type("Quiet", (Quiet,), {"log": []} | attributes)


MESSAGE = {"type": "message"}


async def test_idle_timeout(clock: MockClock) -> None:
    """
    With 1 s: a message at 0.5 s is in time; with one at 2 s, idle() has run before, at 1.5 s.
    """
    cls = quiet()
    async with running(cls) as server:
        ref = server.root.find("/residents/quiet")
        await trio.sleep(0.5)
        ref.cast(MESSAGE)
        await trio.sleep(1.5)
        ref.cast(MESSAGE)
        await trio.sleep(0.5)

    assert cls.log == [("message", 0.5), ("idle", 1.5), ("message", 2.0)]


async def test_idle_runs_again_while_the_silence_lasts(clock: MockClock) -> None:
    """
    idle() runs after each further idle_seconds without a message.
    """
    cls = quiet()
    async with running(cls):
        await trio.sleep(3.5)

    assert cls.log == [("idle", 1.0), ("idle", 2.0), ("idle", 3.0)]


@pytest.mark.parametrize("how", ["stale tick", "cast", "call", "undeclared"])
async def test_any_message(clock: MockClock, how: str) -> None:
    """
    Whatever comes into the mailbox begins the silence anew, handled by somebody or not.
    """
    cls = quiet()
    async with running(cls) as server:
        ref = server.root.find("/residents/quiet")
        for _ in range(5):
            await trio.sleep(0.8)
            if how == "undeclared":
                ref.cast({"type": "unknown"})
            elif how == "call":
                await ref.call(MESSAGE)
            else:
                ref.cast(MESSAGE)

    assert [what for what, _ in cls.log if what == "idle"] == []


async def test_any_message_and_a_wake_for_nothing(clock: MockClock) -> None:
    """
    Being woken without a message does not put the end of the silence off.
    """
    cls = quiet()
    async with running(cls) as server:
        mailbox = server.root.find("/residents/quiet")._target.mailbox
        for _ in range(3):
            await trio.sleep(0.4)
            mailbox.parker.wake()

    assert cls.log == [("idle", 1.0)]


async def test_loses(clock: MockClock) -> None:
    """
    With 0 seconds idle() runs when the mailbox is empty, behind all that waited in it.
    """
    cls = quiet(idle_seconds=0)
    async with running(cls) as server:
        await trio.sleep(1)
        for _ in range(100):  # more than one batch
            server.root.find("/residents/quiet").cast(MESSAGE)
        await trio.sleep(1)

    assert cls.log == [("idle", 0.0), *[("message", 1.0)] * 100, ("idle", 1.0)]


async def test_no_spinning(clock: MockClock) -> None:
    """
    With 0 seconds idle() runs once in each silence: an hour of it is not a busy loop.
    """
    cls = quiet(idle_seconds=0)
    async with running(cls) as server:
        await trio.sleep(3600)
        assert cls.log == [("idle", 0.0)]
        server.root.find("/residents/quiet").cast(MESSAGE)
        await trio.sleep(3600)

    assert cls.log == [("idle", 0.0), ("message", 3600.0), ("idle", 3600.0)]


@pytest.mark.parametrize("sync", [False, True])
async def test_idle_that_raises_is_a_crash(clock: MockClock, sync: bool) -> None:
    """
    What idle() raises is a crash like any, named after it; the next incarnation goes on.
    """

    async def fails(self):
        if self.epoch == 1:
            raise ValueError("bored")
        self.stop("idle again")

    def fails_too(self):
        if self.epoch == 1:
            raise ValueError("bored")
        self.stop("idle again")

    async with running(quiet(idle=fails_too if sync else fails)) as server:
        crashed, ended = watch(server, "slot.crashed"), watch(server, "slot.ended")
        event = await crashed.until()
        assert event.facts["message"] == "idle"
        assert (await ended.until()).epoch == 2
        assert ended.seen[0].facts["reason"] == "idle again"


async def test_idle_that_is_resumed(clock: MockClock) -> None:
    """
    Where its class goes on after the error of idle(), the silence goes on, too.
    """

    async def fails(self):
        self.note("idle")
        raise ValueError("bored")

    cls = quiet(idle=fails, supervise={ValueError: "resume"})
    async with running(cls) as server:
        await trio.sleep(2.5)
        assert server.root.snapshot().children[1].children[0].epoch == 1

    assert cls.log == [("idle", 1.0), ("idle", 2.0)]


async def test_idle_may_stop_its_actor(clock: MockClock) -> None:
    """
    An actor that nobody needs any more ends itself out of idle().
    """

    async def idle(self):
        self.stop("nobody came")

    cls = quiet(idle=idle)
    async with running(cls) as server:
        event = await watch(server, "slot.ended").until()

        assert event.facts["reason"] == "nobody came"


@pytest.mark.parametrize("sync", [False, True])
async def test_idle_of_a_consumer(clock: MockClock, sync: bool) -> None:
    """
    A consumer's frames begin its silence anew; in idle() it may send, and close.
    """

    class Chat(WebsocketConsumer):
        idle_seconds = 30

        async def receive(self, text):
            await self.send(text=text)

        def idle(self):
            self.send(text="are you there?")
            self.close(4000, "gone quiet")

    class ChatAsync(Chat):
        async def idle(self):
            super().idle()

    chat = Chat if sync else ChatAsync
    async with running(chat=chat) as server, server.websocket("/chat") as ws:
        for _ in range(3):
            await trio.sleep(20)
            ws.send_text("hi")
            assert await ws.receive() == "hi"
        assert await ws.receive(timeout=60) == "are you there?"
        assert (await ws.closed()).code == 4000


@pytest.mark.parametrize("cancel", [False, True])
async def test_idle_that_finds_the_peer_gone_is_no_crash(clock: MockClock, cancel: bool) -> None:
    """
    Disconnected that escapes idle() is the end of the connection; so is being cancelled by it.
    """
    ends: list[int] = []

    class Chat(WebsocketConsumer):
        idle_seconds = 1
        cancel_on_disconnect = cancel

        async def idle(self):
            if cancel:
                await trio.sleep_forever()
            await gone.wait()
            raise Disconnected(self.path, 1006)

        async def disconnect(self, code):
            ends.append(code)

    gone = trio.Event()
    async with running(chat=Chat) as server:
        ended = watch(server, "slot.ended")
        async with server.websocket("/chat") as ws:
            await trio.sleep(2)
            ws.disconnect(4001)
            await trio.sleep(0.1)
            gone.set()
            await ended.until()

        assert happened(server, "slot.crashed") == []
        assert ends == [4001]


async def test_only_both_or_none() -> None:
    """
    idle_seconds without idle(), or the other way round, is refused when the class is made.
    """
    with pytest.raises(TypeError, match=r"sets idle_seconds without idle\(\).*Got: idle_seconds"):
        type("Half", (Actor,), {"idle_seconds": 3})
    with pytest.raises(TypeError, match=r"defines idle\(\) without idle_seconds"):
        type("Half", (Actor,), {"idle": lambda self: None})
    with pytest.raises(ValueError, match="idle_seconds must be a number of seconds from 0 on"):
        quiet(idle_seconds=-1)
    with pytest.raises(ValueError, match="defer_capacity must be a whole number from 1 on"):
        type("Half", (Actor,), {"defer_capacity": 0})


# -- after_start ---------------------------------------------------------------------------


async def test_after_start_holds_nobody_up() -> None:
    """
    The start is acknowledged before after_start() runs: the next child starts, the tree is up.
    """
    log: list[str] = []

    class Slow(Actor):
        async def started(self):
            log.append("started")

        async def after_start(self):
            log.append("after_start")
            await go.wait()
            log.append("warm")

        @handles("message")
        async def message(self, message):
            log.append("message")

    class Next(Actor):
        async def started(self):
            log.append("next")

    go = trio.Event()
    async with running(Slow, Next) as server:
        server.root.find("/residents/slow").cast(MESSAGE)
        assert server.root.readiness() == []
        await settle(lambda: log == ["started", "after_start", "next"])
        slot = server.root.snapshot().children[1].children[0]
        assert (slot.state, slot.facts["handling"]) == ("running", "after_start")
        go.set()
        await settle(lambda: log[3:] == ["warm", "message"])


@pytest.mark.parametrize("sync", [False, True])
async def test_after_start_in_every_incarnation(sync: bool) -> None:
    """
    It runs before the first message of the first incarnation and of each later one.
    """
    log: list[str] = []

    class Each(Actor):
        def started(self):
            log.append(f"{self.epoch} started")

        def after_start(self):
            log.append(f"{self.epoch} after")

        @handles("message")
        def message(self, message):
            log.append(f"{self.epoch} message")

        @handles("boom")
        def boom(self, message):
            raise ValueError("boom")

    class EachAsync(Each):
        async def after_start(self):
            super().after_start()

        @handles("message")
        async def message(self, message):
            super().message(message)

    async with running(EachAsync if sync else Each) as server:
        ref = server.root.find(server.root.snapshot().children[1].children[0].path)
        for kind in ("message", "boom", "message"):
            ref.cast({"type": kind})
        await settle(lambda: len(log) == 6)

    assert log == [
        "1 started", "1 after", "1 message", "2 started", "2 after", "2 message",
    ]  # fmt: skip


@pytest.mark.parametrize("sync", [False, True])
async def test_after_start_that_raises_is_a_crash(sync: bool) -> None:
    """
    What it raises is a crash and no failed start: the tree comes up, the actor is restarted.
    """

    class Bad(Actor):
        def after_start(self):
            if self.epoch == 1:
                raise ValueError("cold")

        @handles("ping")
        async def ping(self, message):
            return self.epoch

    class BadAsync(Bad):
        async def after_start(self):
            super().after_start()

    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(Bad if sync else BadAsync, options=options) as server:
        (path,) = [node.path for node in server.root.snapshot().children[1].children]
        assert await server.root.find(path).call({"type": "ping"}) == 2
        (crash,) = server.root.snapshot().children[1].children[0].crashes

        assert (crash.text, crash.message) == ("cold", "after_start")
        assert len(happened(server, "slot.started")) == 1


async def test_after_start_of_a_consumer() -> None:
    """
    In a consumer it runs behind connect(), on an open socket, and not where that refused.
    """
    log: list[str] = []

    class Chat(WebsocketConsumer):
        async def connect(self):
            self.accept() if self.scope["path"] == "/chat" else self.close()

        async def after_start(self):
            log.append(self.scope["path"])
            await self.send(text="history")

        async def receive(self, text):
            await self.send(text=text)

    async with running(chat=Chat, refused=Chat) as server:
        async with server.websocket("/chat") as ws:
            ws.send_text("hi")
            assert [await ws.receive(), await ws.receive()] == ["history", "hi"]
        ended = watch(server, "slot.ended")
        driver = server.dial("/refused")
        await ended.until()
        driver.disconnect()

    assert log == ["/chat"]


async def test_what_they_leave_behind_is_kept() -> None:
    """
    Attributes named in `keep` are kept as after_start() left them, before any message.
    """

    class Keeps(Actor):
        keep = ["warmth"]
        warmth = 0

        async def after_start(self):
            self.warmth += 1

        @handles("boom")
        async def boom(self, message):
            raise ValueError("boom")

        @handles("ping")
        async def ping(self, message):
            return self.warmth

    async with running(Keeps) as server:
        ref = server.root.find("/residents/keeps")
        ref.cast({"type": "boom"})
        assert await ref.call({"type": "ping"}) == 2


async def test_a_class_without_them_rests_as_ever() -> None:
    """
    Who defines neither has no Moments: nothing is asked, and no scope opened, when it rests.
    """

    class Plain(Actor):
        pass

    class Starts(Actor):
        async def after_start(self):
            pass

    async with running(Plain, Starts) as server:
        residents: Any = server.root.residents
        plain, starts = [entry.body._life._loop._moments for entry in residents._entries.values()]
        assert plain is None
        rest = await starts.begin()
        assert rest == starts._box.parker.park
