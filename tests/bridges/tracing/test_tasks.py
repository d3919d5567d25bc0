# The span of a task of a pool, and what it has to do with the one in which the task was asked for.

from collections.abc import Callable
from typing import Any, cast

import pytest
import trio
from helpers import running, settle
from opentelemetry import baggage, context, trace
from opentelemetry.trace import StatusCode
from recorded_spans import Spans, events, is_below, is_linked, said
from trio.testing import MockClock

from greenroom.actors import Actor, Overflow, handles
from greenroom.supervisor import (
    TaskDone,
    TaskFailed,
    TaskPoolSpec,
    TaskTimeout,
    current_root,
)

JOBS = TaskPoolSpec(name="jobs")


def seen() -> tuple[str, object]:
    """Return which span is current, and what the baggage holds."""
    return getattr(trace.get_current_span(), "name", "none"), baggage.get_baggage("tenant")


def resize(size: int) -> tuple[str, object]:
    if size < 0:
        raise ValueError("boom")
    return seen()


async def resize_on_trio(size: int) -> tuple[str, object]:
    await trio.lowlevel.checkpoint()
    return resize(size)


both = pytest.mark.parametrize("function", [resize, resize_on_trio])


class Boss(Actor):
    """Has tasks run, in all ways."""

    @handles("run")
    async def on_run(self, message: Any) -> object:
        return await self.pool.run(message["what"], message.get("size", 1))

    @handles("run_blocking")
    def on_run_blocking(self, message: Any) -> object:
        return self.pool.run_blocking(message["what"], 1)

    @handles("start")
    async def on_start(self, message: Any) -> None:
        self.pool.start(message["what"], message.get("size", 1), reply_to=self.ref)

    @handles("start_blocking")
    def on_start_blocking(self, message: Any) -> None:
        self.pool.start_blocking(message["what"], 1, reply_to=self.ref)

    @handles(TaskDone)
    async def on_done(self, message: TaskDone) -> None:
        pass

    @handles(TaskFailed)
    async def on_failed(self, message: TaskFailed) -> None:
        pass

    @property
    def pool(self) -> Any:
        return current_root().task_pool("/residents/jobs")


@both
@pytest.mark.parametrize("way", ["run", "run_blocking"])
async def test_one_that_is_waited_for(spans: Spans, function: Any, way: str) -> None:
    """
    A task that somebody waits for is below the span in which he does, with its baggage.
    """
    async with running(JOBS, Boss) as server:
        token = context.attach(baggage.set_baggage("tenant", "acme"))
        try:
            boss = server.root.find("/residents/boss")
            told = await boss.call({"type": way, "what": function})
        finally:
            context.detach(token)
    span = spans.one(f"run {function.__name__}")

    assert told == (f"run {function.__name__}", "acme")
    assert is_below(span, spans.one(f"process Boss {way}"))
    assert span.status.status_code is StatusCode.UNSET
    assert not span.links
    path = f"/residents/jobs/{function.__name__}-1"
    assert said(span) == {
        "greenroom.path": path,
        "greenroom.actor": function.__name__,
        "greenroom.epoch": 1,
    }
    assert [name for name in spans.names if "resize" in name] == [span.name]


@both
@pytest.mark.parametrize("way", ["start", "start_blocking"])
async def test_one_that_is_only_started(spans: Spans, function: Any, way: str) -> None:
    """
    A task that nobody waits for begins a trace, linked to where it was started; so does its end.
    """
    async with running(JOBS, Boss) as server:
        await server.root.find("/residents/boss").call({"type": way, "what": function})
        await settle(lambda: spans.named("process Boss TaskDone"))
    span, told = spans.one(f"run {function.__name__}"), spans.one("process Boss TaskDone")

    assert span.parent is None
    assert is_linked(span, spans.one(f"process Boss {way}"))
    assert is_linked(told, span)


@both
async def test_one_that_crashes(spans: Spans, function: Any) -> None:
    """
    What a task raises is an exception on its span, and on that of who waits and lets it through.
    """
    async with running(JOBS, Boss) as server:
        pool = server.root.task_pool("/residents/jobs")
        with pytest.raises(ValueError, match="boom"):
            await pool.run(function, -1)
        message = {"type": "start", "what": function, "size": -1}
        await server.root.find("/residents/boss").call(message)
        await settle(lambda: spans.named("process Boss TaskFailed"))
    found = spans.named(f"run {function.__name__}")

    assert [span.status.status_code for span in found] == [StatusCode.ERROR] * 2
    assert [events(span) for span in found] == [[("exception", None)]] * 2
    assert is_linked(spans.one("process Boss TaskFailed"), found[1])
    assert spans.named(f"crash {function.__name__}") == []


async def test_one_that_is_cut_off(spans: Spans) -> None:
    """
    A task that is cut off, or stopped, has not failed.
    """
    begun = trio.Event()

    async def slow() -> None:
        begun.set()
        await trio.sleep_forever()

    async with running(JOBS) as server:
        pool = server.root.task_pool("/residents/jobs")
        with pytest.raises(TaskTimeout):
            await pool.run(slow, timeout=0)
        begun = trio.Event()
        ref = pool.start(slow)
        await begun.wait()
        ref.stop()
        await settle(lambda: spans.named("run slow"))

    found = spans.named("run slow")
    assert {said(span)["greenroom.outcome"] for span in found} == {"cancelled"}
    assert {span.status.status_code for span in found} == {StatusCode.UNSET}


class Dropping(Boss):
    overflow = Overflow.DROP_OLDEST


@pytest.mark.parametrize("boss", [Boss, Dropping])
async def test_an_outcome_that_has_no_sender(spans: Spans, boss: type[Boss]) -> None:
    """
    An outcome is no span of its own on its way, whatever its receiver's mailbox does when full.
    """
    name = boss.__name__
    async with running(JOBS, boss) as server:
        message = {"type": "start", "what": resize}
        await server.root.find(f"/residents/{name.lower()}").call(message)
        await settle(lambda: spans.named(f"process {name} TaskDone"))
    told = spans.one(f"process {name} TaskDone")

    assert [each for each in spans.names if each.startswith("send")] == []
    assert told.parent is None
    assert is_linked(told, spans.one("run resize"))


async def test_an_outcome_that_waits_for_room(clock: MockClock, spans: Spans) -> None:
    """
    Nor is one that has waited for room in its receiver's mailbox.
    """

    class Busy(Boss):
        mailbox_capacity = 1

        @handles("rest")
        async def on_rest(self, message: Any) -> None:
            await trio.sleep(message["seconds"])

    async with running(JOBS, Busy) as server:
        busy = server.root.find("/residents/busy")
        with spans.tracer().start_as_current_span("outside"):
            busy.cast({"type": "rest", "seconds": 10})
            await trio.sleep(1)
            busy.cast({"type": "rest", "seconds": 0})
        server.root.task_pool("/residents/jobs").start(resize, 1, reply_to=busy)
        await trio.sleep(1)
        assert server.root.supervisor("/residents/jobs").counts().specs == 1
        await trio.sleep(20)

    assert spans.names.count("send Busy") == 2  # those of the test
    assert spans.one("process Busy TaskDone").parent is None


async def test_an_outcome_that_is_handed_on(spans: Spans) -> None:
    """
    The end of a task, handed on to another actor, is below its sending there, and linked as before.
    """

    class Clerk(Boss):
        @handles(TaskDone)
        async def on_done(self, message: TaskDone) -> None:
            self.cast("/residents/boss", message)

    async with running(JOBS, Boss, Clerk) as server:
        await server.root.find("/residents/clerk").call({"type": "start", "what": resize})
        await settle(lambda: spans.named("process Boss TaskDone"))
    handed = spans.one("process Boss TaskDone")

    assert is_below(handed, spans.one("send Boss"))
    assert is_below(spans.one("send Boss"), spans.one("process Clerk TaskDone"))
    assert is_linked(handed, spans.one("run resize"))


class Odd:
    """What can't be asked for its class."""

    @property
    def __class__(self) -> Any:
        raise OSError("no idea")


@pytest.mark.parametrize(
    "make",
    [
        lambda: TaskDone(cast("Any", None), "", 1),
        lambda: TaskDone(cast("Any", Odd()), "", 1),
        Odd,
    ],
    ids=["of none", "of what can't be asked", "can't be asked"],
)
async def test_an_outcome_of_no_task(spans: Spans, make: Callable[[], Any]) -> None:
    """
    A message of a user's that is one by its looks only, or can't be asked, is handled as any.
    """
    message = make()

    class Hears(Boss):
        @handles(Odd)
        async def on_odd(self, message: Any) -> None:
            pass

    async with running(JOBS, Hears) as server:
        hears = server.root.find("/residents/hears")
        hears.cast(message)
        await settle(lambda: spans.named(f"process Hears {type(message).__name__}"))
        assert hears.alive
    span = spans.one(f"process Hears {type(message).__name__}")

    assert span.status.status_code is StatusCode.UNSET
    assert is_below(span, spans.one("send Hears"))
    assert not span.links


async def test_outside_of_any_span(spans: Spans) -> None:
    """
    A task that is asked for where no span is current begins a trace, with no link.
    """
    async with running(JOBS) as server:
        pool = server.root.task_pool("/residents/jobs")
        assert await pool.run(resize, 1) == ("run resize", None)
        pool.start(resize, 1)
        await settle(lambda: len(spans.named("run resize")) == 2)

    assert [span.parent for span in spans] == [None] * 2
    assert [len(span.links) for span in spans] == [0] * 2


async def test_two_of_one_caller(spans: Spans) -> None:
    """
    What a task sends, and what tasks it has run itself, is below its own span.
    """

    async def outer() -> None:
        await current_root().task_pool("/residents/jobs").run(resize_on_trio, 1)

    async with running(JOBS) as server:
        await server.root.task_pool("/residents/jobs").run(outer)

    assert is_below(spans.one("run resize_on_trio"), spans.one("run outer"))
