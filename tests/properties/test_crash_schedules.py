# Random plans of frames, casts, group messages, timers and tasks, with crashes among them,
# against what must hold for every plan: order kept, poison run once, epochs counted.

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from helpers import happened, running, settle, task_names
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from greenroom.actors import WebsocketConsumer, handles
from greenroom.supervisor import Options

# Not shrunk: threads make each run of a plan another one.
RANDOM = (Phase.explicit, Phase.generate)
OPTIONS = Options(backoff_min_seconds=0, backoff_max_seconds=0, max_restarts=None)
LATER = ("timer", "task")  # begun by a frame, run later, or never if a crash comes first
KINDS = ("frame", "cast", "sync cast", "group", *LATER)


@dataclass(frozen=True)
class Step:
    """One message of the plan: how it travels, and whether what it does raises."""

    kind: str
    crashes: bool


# One crash in four, or most messages of a plan would be lost on the first incarnations.
PLANS = st.lists(
    st.builds(Step, st.sampled_from(KINDS), st.sampled_from([True, False, False, False])),
    max_size=30,
)


@dataclass
class Journal:
    """Handlers that were entered, what was done in them or later, and what succeeded."""

    entered: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    ran: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    started: list[Any] = field(default_factory=list[Any])
    ends: list[int] = field(default_factory=list[int])
    counted: int = 0

    def is_over(self, number: int, epoch: int) -> bool:
        """Whether it ran, or its incarnation ended with it under way."""
        if any(number == ran for _, ran in self.ran):
            return True
        return any(number == each and begun < epoch for begun, each in self.entered)


class Planned(WebsocketConsumer):
    journal: Journal
    plan: list[Step]
    keep = ["count"]

    async def connect(self, message):
        self.count = 0
        await self.accept()
        await self.join("room")

    async def started(self):
        self.journal.started.append(self)

    def enter(self, number: int) -> None:
        self.journal.entered.append((self.epoch, number))

    def handle(self, number: int) -> None:
        kind = self.plan[number].kind
        if kind in LATER:
            if kind == "timer":
                self.send_after(0, {"type": "tick", "number": number})
            else:
                self.start_soon(self.task, number)
        else:
            self.journal.ran.append((self.epoch, number))
            if self.plan[number].crashes:
                self.count = -1000
                raise ValueError(number)
        self.count += 1
        self.journal.counted += 1

    async def receive(self, text):
        self.enter(int(text))
        await trio.lowlevel.checkpoint()
        self.handle(int(text))

    @handles("step")
    async def on_step(self, message):
        self.enter(message["number"])
        self.handle(message["number"])

    @handles("sync step")
    def on_sync_step(self, message):
        self.enter(message["number"])
        self.handle(message["number"])

    @handles("tick")
    async def on_tick(self, message):
        await self.task(message["number"])

    async def task(self, number):
        await trio.lowlevel.checkpoint()
        self.journal.ran.append((self.epoch, number))
        if self.plan[number].crashes:
            raise ValueError(number)

    @handles("count")
    async def on_count(self, message):
        return self.count

    async def disconnect(self, code):
        self.journal.ends.append(code)


class SyncTwin(Planned):
    def receive(self, text):
        self.enter(int(text))
        self.handle(int(text))

    @handles("step")
    def on_step(self, message):
        self.enter(message["number"])
        self.handle(message["number"])


async def carry_out(plan: list[Step], base: type[Planned]) -> None:
    """Send the whole plan in one go, wait until nothing is left of it, and check."""
    journal = Journal()
    chat = type("Chat", (base,), {"journal": journal, "plan": plan})
    async with running(chat=chat, options=OPTIONS) as server:
        async with server.websocket("/chat") as ws:
            ref = server.root.find(ws.slot.path)
            for number, step in enumerate(plan):
                if step.kind in ("frame", *LATER):
                    ws.send_text(str(number))
                elif step.kind == "group":
                    server.root.groups.send("room", {"type": "step", "number": number})
                else:
                    kind = "sync step" if step.kind == "sync cast" else "step"
                    assert ref.cast({"type": kind, "number": number})

            await settle(lambda: all(journal.is_over(n, ws.slot.epoch) for n in range(len(plan))))
            # A task and a handler may crash one incarnation together: one restart.
            crashed = [epoch for epoch, number in journal.ran if plan[number].crashes]
            epoch = 1 + len(set(crashed))
            await settle(lambda: (ws.slot.epoch, ws.slot.state) == (epoch, "running"))

            check(plan, journal, epoch)
            assert [e.epoch for e in happened(server, "slot.crashed")] == sorted(crashed)
            assert happened(server, "message.dead_letter") == []
            old = [f"{ws.slot.path}#{each} " for each in range(1, epoch)]
            assert not any(name.startswith(tuple(old)) for name in task_names() if old)
        await ws.application_done.wait()
    assert journal.ends == [1000]


def check(plan: list[Step], journal: Journal, epoch: int) -> None:
    """Each once, in the order of its lane; no incarnation is left but by a crash."""
    ran = [number for _, number in journal.ran]
    assert len(set(ran)) == len(ran)
    entered = [number for _, number in journal.entered]
    assert sorted(entered) == list(range(len(plan)))
    for lane in (("frame", *LATER), ("cast", "sync cast", "group")):
        expected = [number for number, step in enumerate(plan) if step.kind in lane]
        assert [number for number in entered if plan[number].kind in lane] == expected
    for epochs in ([each for each, _ in journal.ran], [each for each, _ in journal.entered]):
        assert epochs == sorted(epochs)
    crashed = {ran_in for ran_in, number in journal.ran if plan[number].crashes}
    assert crashed == set(range(1, epoch))
    assert len(journal.started) == len({id(each) for each in journal.started}) == epoch


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Thousands of crashes on purpose are no news."""
    logger = logging.getLogger("greenroom")
    before, logger.level = logger.level, logging.CRITICAL + 1
    yield
    logger.level = before


@settings(max_examples=100, phases=RANDOM)
@given(PLANS)
def test_async_plans(plan: list[Step]) -> None:
    """
    For every plan of an `async def` consumer: order kept, poison once, epochs counted.
    """
    trio.run(carry_out, plan, Planned)


@settings(max_examples=100, phases=RANDOM)
@given(PLANS)
def test_sync_plans(plan: list[Step]) -> None:
    """
    For every plan of a `def` consumer, whose messages go to threads in runs: the same.
    """
    trio.run(carry_out, plan, SyncTwin)


@settings(max_examples=50, phases=RANDOM)
@given(PLANS.map(lambda plan: [step for step in plan if step.kind != "task"]))
def test_what_is_kept(plan: list[Step]) -> None:
    """
    Whatever crashed in between, a kept counter counts exactly the messages that succeeded.
    """

    async def count() -> None:
        journal = Journal()
        chat = type("Chat", (Planned,), {"journal": journal, "plan": plan})
        async with running(chat=chat, options=OPTIONS) as server, server.websocket("/chat") as ws:
            for number in range(len(plan)):
                ws.send_text(str(number))
            await settle(lambda: len(journal.entered) == len(plan))
            ref = server.root.find(ws.slot.path)
            assert await ref.call({"type": "count"}) == journal.counted

    trio.run(count)
