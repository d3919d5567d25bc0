# Timers: the queue by itself, with `now` as an argument, and those of a living actor.

import threading
import time

import pytest
import trio
from helpers import happened, running, settle, watch

from greenroom.actors import Actor, Timer, WebsocketConsumer, handles
from greenroom.actors._timers import TimerQueue


def timer(name: str, key: object = None, interval: float | None = None) -> Timer:
    return Timer(None, name, key, interval)


def due(queue: TimerQueue, now: float) -> list[object]:
    return [each.message for each in queue.due(now)]


def test_timers_fall_due_in_order_of_time() -> None:
    """
    Timers are due by their time, and those of one time in the order they were set.
    """
    queue = TimerQueue()
    for name, when in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a2", 1.0)):
        queue.add(timer(name), when)

    assert queue.next_due() == 1.0
    assert due(queue, 0.5) == []
    assert due(queue, 2.0) == ["a", "a2", "b"]
    assert queue.next_due() == 3.0
    assert due(queue, 9.0) == ["c"]
    assert queue.next_due() is None


def test_a_key_names_one_timer() -> None:
    """
    A timer set with the key of an older one replaces it.
    """
    queue = TimerQueue()
    queue.add(old := timer("old", "key"), 1.0)
    queue.add(timer("new", "key"), 2.0)

    assert old.cancelled
    assert due(queue, 5.0) == ["new"]
    assert not queue.cancel("key")  # it was used up


def test_a_cancelled_timer_never_falls_due() -> None:
    """
    A timer cancelled by key or by itself is left out, and is not waited for.
    """
    queue = TimerQueue()
    queue.add(timer("a", "key"), 1.0)
    queue.add(by_itself := timer("b"), 2.0)
    by_itself.cancel()

    assert queue.cancel("key")
    assert not queue.cancel("key")
    assert not queue.cancel("unknown")
    assert queue.next_due() is None
    assert repr(by_itself) == "<Timer None cancelled>"


def test_a_repeating_timer_does_not_drift() -> None:
    """
    The next tick counts from when the last was due, not from when it was noticed.
    """
    queue = TimerQueue()
    queue.add(every := timer("t", interval=1.0), 1.0)

    assert due(queue, 1.25) == ["t"]
    assert queue.next_due() == 2.0
    assert repr(every) == "<Timer None every 1 s>"


def test_a_late_repeating_timer_does_not_catch_up() -> None:
    """
    After a long pause the missed ticks are not made up for one by one.
    """
    queue = TimerQueue()
    queue.add(timer("t", interval=1.0), 1.0)

    assert len(due(queue, 1000.5)) <= 2
    assert (queue.next_due() or 0) > 1000.5


class Clock(WebsocketConsumer):
    async def receive(self, text):
        what, _, rest = text.partition(" ")
        if what == "after":
            self.send_after(float(rest), {"type": "tick", "text": f"after {rest}"})
        elif what == "every":
            self.send_every(float(rest), {"type": "tick", "text": "tick"}, key="every")
        elif what == "cancel":
            self.cancel_timer("every")
        elif what == "sleep":
            await trio.sleep(float(rest))
            await self.send(text="slept")

    @handles("tick")
    async def on_tick(self, message):
        await self.send(text=message["text"])


async def test_send_after_delivers_once(autojump_clock: trio.testing.MockClock) -> None:
    """
    A message sent after some seconds is handled then, once.
    """
    async with running(clock=Clock) as server, server.websocket("/clock") as ws:
        began = trio.current_time()
        for seconds in ("30", "10", "20"):
            ws.send_text(f"after {seconds}")

        for seconds in (10, 20, 30):
            assert await ws.receive(timeout=100) == f"after {seconds}"
            assert round(trio.current_time() - began) == seconds
        with trio.move_on_after(100) as scope:
            await ws.receive(timeout=200)
        assert scope.cancelled_caught


async def test_send_every_repeats_until_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """
    A repeating timer ticks at its interval, and no more once it is cancelled.
    """
    async with running(clock=Clock) as server, server.websocket("/clock") as ws:
        began = trio.current_time()
        ws.send_text("every 2")
        for _ in range(5):
            assert await ws.receive() == "tick"
        assert round(trio.current_time() - began) == 10

        ws.send_text("cancel")
        with trio.move_on_after(100) as scope:
            await ws.receive(timeout=200)
        assert scope.cancelled_caught


async def test_an_actor_that_is_behind_is_not_flooded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """
    While a handler runs through a hundred intervals, one tick waits and no more.
    """
    async with running(clock=Clock) as server, server.websocket("/clock") as ws:
        ws.send_text("every 1")
        ws.send_text("sleep 100.5")
        ws.send_text("cancel")
        assert await ws.receive(timeout=200) == "slept"
        await trio.sleep(10)

        assert ws.slot.mailbox == (0, 256)
        assert ws.slot.facts["handled"] == 3  # its ticks came behind "cancel"


async def test_timers_end_with_their_incarnation(autojump_clock: trio.testing.MockClock) -> None:
    """
    The next incarnation never sees a tick of the one that crashed.
    """
    async with running(clock=Clock) as server, server.websocket("/clock") as ws:
        ws.send_text("every 1")
        ws.send_text("after 3")
        assert await ws.receive() == "tick"
        ws.crash()
        await ws.wait_restarted()

        with trio.move_on_after(100) as scope:
            await ws.receive(timeout=200)
        assert scope.cancelled_caught
        assert "tasks" not in ws.slot.facts


async def test_a_tick_that_waits_is_inert_after_a_crash(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """
    A tick already in the mailbox when its incarnation crashes is dropped, and counted.
    """
    async with running(clock=Clock) as server, server.websocket("/clock") as ws:
        stale = watch(server, "work.stale")
        ws.send_text("every 1")
        ws.send_text("sleep 10.5")
        await trio.sleep(5)
        ws.crash()
        await ws.wait_restarted()

        event = await stale.until()
        assert event.facts["what"] == "timer of an older epoch"
        assert happened(server, "message.dead_letter") == []


async def test_a_key_reaches_a_tick_that_waits() -> None:
    """
    cancel_timer(), and a new timer of the same key, end a one-shot tick that waits already.
    """
    handled: list[str] = []

    class Patient(Actor):
        @handles("cancel")
        async def on_cancel(self, message):
            await self.arrange()
            self.cancel_timer("key")

        @handles("replace")
        async def on_replace(self, message):
            await self.arrange()
            self.send_after(3600, {"type": "tick"}, key="key")

        async def arrange(self):
            self.send_after(0, {"type": "tick"}, key="key")
            await settle(lambda: self.ref._target.mailbox.queued == 1)

        @handles("tick")
        async def on_tick(self, message):
            handled.append("tick")

        @handles("done")
        async def on_done(self, message):
            return list(handled)

    async with running(Patient) as server:
        patient = server.root.find("/residents/patient")
        for kind in ("cancel", "replace"):
            await patient.call({"type": kind})
            assert await patient.call({"type": "done"}) == []


def test_keys_of_timers_that_are_over_are_forgotten() -> None:
    """
    A timer a message, each with a key of its own, leaves no trail once its tick was taken.
    """
    queue = TimerQueue()
    for number in range(10_000):
        queue.add(timer("t", f"key {number}"), 1.0)
        assert due(queue, 1.0) == ["t"]

    assert len(queue._keyed) < 300


@pytest.mark.parametrize("how", ["itself", "key", "replaced"])
async def test_a_cancelled_tick_in_the_same_run_is_not_handled(how: str) -> None:
    """
    A `def` handler that cancels a timer whose tick waits behind it ends that tick too.
    """
    handled: list[str] = []

    class Sync(Actor):
        @handles("arrange")
        async def arrange(self, message):
            await self.cast(self.ref, {"type": "go"})
            self.timer = self.send_after(0, {"type": "tick"}, key="key")
            await settle(lambda: self.ref._target.mailbox.queued == 2)

        @handles("go")
        def on_go(self, message):
            handled.append("go")
            if how == "itself":
                self.timer.cancel()
            elif how == "key":
                self.cancel_timer("key")
            else:
                self.send_after(3600, {"type": "tick"}, key="key")

        @handles("tick")
        def on_tick(self, message):
            handled.append("tick")

        @handles("done")
        def on_done(self, message):
            return list(handled)

    async with running(Sync) as server:
        sync = server.root.find("/residents/sync")
        await sync.call({"type": "arrange"})

        assert await sync.call({"type": "done"}) == ["go"]


async def test_one_tick_waits_also_after_a_run_was_put_back() -> None:
    """
    A tick that went back to the mailbox with the rest of a run is not joined by a second.
    """
    blocked, go = threading.Event(), threading.Event()

    class Slow(Actor):
        @handles("arrange")
        async def arrange(self, message):
            await self.cast(self.ref, {"type": "block"})
            self.send_every(0.001, {"type": "tick"}, key="every")
            await settle(lambda: self.ref._target.mailbox.queued == 2)

        @handles("block")
        def block(self, message):
            blocked.set()
            go.wait(10)

        @handles("tick")
        def on_tick(self, message):
            pass

    async with running(Slow) as server:
        slow = server.root.find("/residents/slow")
        await slow.call({"type": "arrange"})
        await settle(blocked.is_set)
        until = time.monotonic() + 0.02  # past some intervals, and a batch's 5 ms
        await settle(lambda: time.monotonic() > until)

        # It is in the run of the thread: no second one waits in the mailbox meanwhile.
        assert slow._target.mailbox.queued == 0
        go.set()


async def test_bad_seconds_are_refused() -> None:
    """
    A negative or not-a-number delay, and an interval of zero, are ValueErrors.
    """
    refused: list[str] = []

    class Wrong(Actor):
        async def started(self):
            for seconds, set_ in (
                (-1, self.send_after), (float("nan"), self.send_after), (0, self.send_every)
            ):  # fmt: skip
                try:
                    set_(seconds, {"type": "tick"})
                except ValueError as error:
                    refused.append(str(error))

    async with running(Wrong):
        pass

    assert len(refused) == 3
    assert refused[0] == "a timer's time must be 0 seconds or more. Got: -1"
