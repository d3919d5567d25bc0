# What other systems' suites check of a crash, on ours: Pekko's typed supervision, by the
# numbers of our list of scenarios, and one of our own. Resume is in tests/actors/test_decider.py,
# the order of frames around a crash in test_slot.py, storms in test_storms.py.

import pytest
import trio
from helpers import happened, running, settle, watch
from trio.testing import MockClock

from greenroom.actors import Actor, ActorStopped, WebsocketConsumer, handles
from greenroom.bridges.testing import ServerDriver, StartupFailed, virtual_clock
from greenroom.supervisor import ChildSpec, Options


@pytest.fixture
def clock() -> MockClock:
    return virtual_clock()


class Counter(Actor):
    """Counts; crashes when told to; `hooks` is what ran of its hooks."""

    hooks: list[str]
    fails_from = 1_000

    async def started(self):
        self.count = 0
        if self.epoch >= self.fails_from:
            raise OSError("not yet")

    async def restarted(self, reason):
        self.hooks.append(f"restarted: {reason}")

    async def stopped(self, reason):
        self.hooks.append(f"stopped: {reason}")

    @handles("add")
    async def on_add(self, message):
        self.count += 1
        return self.count

    @handles("read")
    async def on_read(self, message):
        return self.count

    @handles("boom")
    async def on_boom(self, message):
        raise ValueError("boom")


def counter(**settings: object) -> type[Counter]:
    return type("Counter", (Counter,), {"hooks": [], "on_exceeded": "stop"} | settings)


async def test_94_a_restart_begins_anew_behind_the_same_reference() -> None:
    """
    94: one, crash, zero, by one reference; the hook of the restart ran once.
    """
    kind = counter()
    async with running(kind) as server:
        ref = server.root.find("/residents/counter")
        assert await ref.call({"type": "add"}) == 1
        ref.cast({"type": "boom"})

        assert await ref.call({"type": "read"}) == 0
        assert kind.hooks == ["restarted: boom"]


async def test_95_the_third_failure_within_the_window_ends_it(clock: MockClock) -> None:
    """
    95: two restarts in a minute are forgiven, the third failure ends it, with its last hook.
    """
    kind = counter(max_restarts=2, max_seconds=60)
    async with running(kind) as server:
        ref = server.root.find("/residents/counter")
        for _ in range(3):
            ref.cast({"type": "boom"})
            await trio.sleep(10)
        with pytest.raises(ActorStopped):
            await ref.call({"type": "read"})

        assert kind.hooks == ["restarted: boom"] * 2 + ["stopped: crashed"]


async def test_96_the_budget_is_fresh_after_quiet(clock: MockClock) -> None:
    """
    96: two in half a second; after 0.55 seconds of quiet there are two again.
    """
    options = Options(backoff_min_seconds=0, backoff_max_seconds=0)
    async with running(counter(max_restarts=2, max_seconds=0.5), options=options) as server:
        ref = server.root.find("/residents/counter")
        restarted = watch(server, "slot.restarted")
        for so_far in (2, 4):
            ref.cast({"type": "boom"})
            ref.cast({"type": "boom"})
            await restarted.until(so_far)
            await trio.sleep(0.55)

        assert await ref.call({"type": "read"}) == 0


async def test_99_backoff_doubles(clock: MockClock) -> None:
    """
    99: of 1 to 10 seconds without jitter, after the first at once: 1, 2, 4, 8, 10, 10.
    """
    kind = counter(
        max_restarts=None, max_seconds=500, backoff_min_seconds=1.0, backoff_max_seconds=10.0,
        backoff_jitter=0,
    )  # fmt: skip
    async with running(kind) as server:
        restarted = watch(server, "slot.restarted")
        waits: list[float] = []
        for number in range(1, 8):
            began = trio.current_time()
            server.root.find("/residents/counter").cast({"type": "boom"})
            await restarted.until(number, seconds=60)
            waits.append(trio.current_time() - began)

        assert waits == [0, 1, 2, 4, 8, 10, 10]


async def test_102_a_restart_that_always_fails_ends_in_time(clock: MockClock) -> None:
    """
    102: backoff from 0.2 s, two restarts, each failing to start: down within three seconds.
    """
    kind = counter(max_restarts=2, backoff_min_seconds=0.2, fails_from=2)
    async with running(kind) as server:
        ended = watch(server, "slot.ended")
        began = trio.current_time()
        server.root.find("/residents/counter").cast({"type": "boom"})
        await ended.until()

        assert trio.current_time() - began < 3
        crashes = happened(server, "slot.crashed")
        assert [event.facts["message"] for event in crashes] == ["'boom'", "started", "started"]
        assert server.root.readiness() == ["/residents/counter is not up"]


async def test_103_a_first_start_that_fails_is_not_tried_again() -> None:
    """
    103: it fails the startup at once, even with restarts without end.
    """
    spec = ChildSpec(actor=counter(fails_from=1), max_restarts=None)
    with pytest.raises(StartupFailed, match="not yet"):
        async with running(spec):
            pytest.fail("it started")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_105_fatal_errors_are_not_supervised(error: type[BaseException]) -> None:
    """
    105: no restart and no count, whatever its class says of exceptions; the sibling goes on.
    """

    async def on_boom(self: object, message: object) -> None:
        raise error

    settings = {"on_boom": handles("boom")(on_boom), "supervise": {Exception: "restart"}}
    async with running(counter(**settings), ChildSpec(actor=counter(), name="b")) as server:
        ended = watch(server, "slot.ended")
        server.root.find("/residents/counter").cast({"type": "boom"})
        await ended.until()

        assert len(happened(server, "slot.fatal")) == 1
        assert happened(server, "slot.crashed") == happened(server, "slot.restarted") == []
        assert await server.root.find("/residents/b").call({"type": "add"}) == 1


async def test_n3_a_flood_while_it_begins_anew(clock: MockClock) -> None:
    """
    N3: 10,000 frames while a restart takes 300 ms: the mailbox holds 16, none is lost.
    """

    class Chat(WebsocketConsumer):
        async def restarted(self, reason):
            await trio.sleep(0.3)

        async def receive(self, text):
            if text == "boom":
                raise ValueError(text)
            await self.send(text=text)

    async with running(chat=Chat) as server, server.websocket("/chat") as ws:
        crashed = watch(server, "slot.crashed")
        ws.send_text("boom")
        await crashed.until()
        for number in range(10_000):
            ws.send_text(str(number))
        await trio.sleep(0.2)
        assert ws.slot.epoch == 2
        assert server.root.find(ws.slot.path).alive
        assert waiting(server, ws.slot.path) == Options().read_ahead_messages

        got = [await ws.receive() for _ in range(10_000)]
        assert got == [str(number) for number in range(10_000)]
        await settle(lambda: waiting(server, ws.slot.path) == 0)


def waiting(server: ServerDriver, path: str) -> int:
    """Return how many frames wait in the mailbox of the slot at *path*."""
    node = server.root.snapshot().find(path)
    assert node is not None
    assert node.mailbox is not None
    return node.mailbox[0]
