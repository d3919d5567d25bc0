# The span of a task of a pool, and what it has to do with the one in which the task was asked for.

from typing import Any

import pytest
import trio
from helpers import running, settle
from opentelemetry import baggage, context, trace
from opentelemetry.trace import StatusCode
from recorded_spans import Spans, events, is_below, is_linked, said

from greenroom.actors import Actor, handles
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
