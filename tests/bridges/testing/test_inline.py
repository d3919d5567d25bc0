# `def` handlers on the loop's thread: as in a worker thread, but in no time.

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from helpers import Routes, happened, watch
from trio.testing import MockClock

from greenroom.actors import (
    Actor,
    CallFailed,
    PoolClosed,
    SelfCall,
    ThreadHooks,
    WebsocketConsumer,
    WrongSide,
    current_job,
    handles,
)
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import ServerDriver, serve
from greenroom.bridges.testing._inline import InlinePool
from greenroom.supervisor import ChildSpec, Options


@pytest.fixture
def clock() -> MockClock:
    """
    trio's own clock: it knows of no thread, and jumps over what one does.
    """
    return MockClock(autojump_threshold=0)


class Clerk(Actor):
    """Plain functions only."""

    restart = "permanent"

    def __init__(self, journal: list[object]) -> None:
        self.journal = journal

    def started(self):
        self.count = 0
        self.journal.append(f"started {self.epoch}")

    def restarted(self, reason):
        self.journal.append(repr(reason))

    def stopped(self, reason):
        self.journal.append(f"stopped: {reason}")

    @handles("add")
    def on_add(self, message):
        self.count += 1
        return self.count

    @handles("boom")
    def on_boom(self, message):
        raise message["error"]

    @handles("end")
    def on_end(self, message):
        self.stop("enough")
        self.journal.append(f"after stop, {self.epoch}")

    @handles("call")
    def on_call(self, message):
        how, target = message["how"], self.find(message["target"])
        return getattr(target, how)(*message["args"])

    @handles("where")
    def on_where(self, message):
        job = current_job()
        assert job is not None
        return threading.current_thread(), job.label, job.thread_name


@pytest.fixture
async def journal() -> list[object]:
    return []


@pytest.fixture
async def server(journal: list[object]) -> AsyncIterator[ServerDriver]:
    children = [
        ChildSpec(actor=Clerk, name=name, kwargs={"journal": journal if name == "a" else []})
        for name in "ab"
    ]
    options = Options(backoff_jitter=0, debug=True)
    application = Application(children=children, options=options)
    async with serve(application, threads="inline") as server:
        yield server


async def test_handlers_run_in_this_thread_in_no_time(
    clock: MockClock, server: ServerDriver
) -> None:
    """
    No thread is started, and a clock that jumps waits for the handler.
    """
    ref = server.root.find("/residents/a")
    thread, label, name = await ref.call({"type": "where"}, timeout=0.001)
    assert thread is threading.current_thread()
    assert (label, name) == ("/residents/a#1 on_where", thread.name)
    assert [await ref.call({"type": "add"}, timeout=0.001) for _ in range(100)] == [*range(1, 101)]
    assert server.root.pool.statistics().threads == 0
    assert current_job() is None


async def test_order_and_restart(
    clock: MockClock, server: ServerDriver, journal: list[object]
) -> None:
    """
    Messages are handled in order; one that raises is consumed and those behind it kept.
    """
    ref = server.root.find("/residents/a")
    error = ValueError("boom")
    for message in ({"type": "add"}, {"type": "boom", "error": error}, {"type": "add"}):
        ref.cast(message)
    assert await ref.call({"type": "add"}) == 2
    assert journal == ["started 1", "ValueError('boom')", "started 2"]
    [crash] = happened(server, "slot.crashed")
    assert crash.facts["exception"] == "ValueError: boom"


async def test_a_call_fails_as_from_a_thread(clock: MockClock, server: ServerDriver) -> None:
    """
    The caller is told what the handler raised, with its traceback from the handler on.
    """
    ref = server.root.find("/residents/a")
    with pytest.raises(CallFailed, match="KeyError") as failed:
        await ref.call({"type": "boom", "error": KeyError("x")})
    trace = failed.value.__cause__.__traceback__
    names = []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[-1] == "on_boom"


async def test_a_fatal_error(clock: MockClock, server: ServerDriver) -> None:
    """
    SystemExit ends its slot, not the loop.
    """
    ended = watch(server, "slot.ended")
    server.root.find("/residents/a").cast({"type": "boom", "error": SystemExit(3)})
    assert (await ended.until()).path == "/residents/a"
    assert len(happened(server, "slot.fatal")) == 1
    assert await server.root.find("/residents/b").call({"type": "add"}) == 1


async def test_stopping_itself(
    clock: MockClock, server: ServerDriver, journal: list[object]
) -> None:
    """
    A handler that has asked for the end of its actor goes on to its own end.
    """
    ref = server.root.find("/residents/a")
    restarted = watch(server, "slot.restarted")
    ref.cast({"type": "end"})
    await restarted.until()
    assert journal[1:3] == ["after stop, 1", "stopped: enough"]


BLOCKING: dict[str, tuple[Any, ...]] = {
    "call_blocking": ({"type": "add"},),
    "send_blocking": ({"type": "add"},),
    "wait_ended_blocking": (),
}


@pytest.mark.parametrize("how", BLOCKING)
async def test_what_would_wait_is_refused(clock: MockClock, server: ServerDriver, how: str) -> None:
    """
    Nobody could answer meanwhile: a clear error instead of a deadlock, also for oneself.
    """
    ref = server.root.find("/residents/a")
    for target in "ab":
        request = {
            "type": "call",
            "how": how,
            "target": f"/residents/{target}",
            "args": BLOCKING[how],
        }
        with pytest.raises(CallFailed) as failed:
            await ref.call(request)
        error = failed.value.__cause__
        assert isinstance(error, WrongSide)
        said = f"ref.{how}() can't be used in a `def` handler that runs inline"
        assert str(error).startswith(said)
    assert not isinstance(error, SelfCall)


@pytest.mark.parametrize("how", ["call", "send", "wait_ended"])
async def test_what_is_for_trio_is_refused_as_in_a_thread(
    clock: MockClock, server: ServerDriver, how: str
) -> None:
    """
    An awaitable that a plain function could not await is not made, though this is trio's thread.
    """
    args = () if how == "wait_ended" else ({"type": "add"},)
    request = {"type": "call", "how": how, "target": "/residents/b", "args": args}
    with pytest.raises(CallFailed, match=f"use ref.{how}_blocking") as failed:
        await server.root.find("/residents/a").call(request)
    assert isinstance(failed.value.__cause__, WrongSide)


async def test_a_wait_is_refused_wherever_it_comes_from() -> None:
    """
    Also a job that asks by itself to wait is refused, each time that it asks.
    """
    pool = InlinePool("test", 1, hooks=ThreadHooks())
    refused: list[str] = []

    def work() -> None:
        job = current_job()
        assert job is not None
        for _ in range(2):
            with pytest.raises(WrongSide) as error, job.parked():
                pytest.fail("it waits")
            refused.append(str(error.value))

    job = pool.submit(work, label="work")
    await job.wait()
    job.result()
    assert len(refused) == 2


async def test_sends_of_a_plain_function_are_not_forgotten_awaits(clock: MockClock) -> None:
    """
    A consumer's `def receive` sends without `await`, and debug mode has nothing to say.
    """

    class Echo(WebsocketConsumer):
        def receive(self, text):
            self.send(text=text.upper())

    application = Application(router=Routes({"echo": Echo}), options=Options(debug=True))
    async with serve(application, threads="inline") as server, server.websocket("/echo") as ws:
        for text in ("a", "b"):
            ws.send_text(text)
            assert await ws.receive(timeout=0.001) == text.upper()
        await trio.sleep(1)
        assert happened(server, "await.forgotten") == []


async def test_jobs_are_withdrawn_and_refused_as_in_a_pool() -> None:
    """
    Cancelled before its turn a job never runs; a closed pool takes none; hooks run around each.
    """
    ran: list[object] = []
    hooks = ThreadHooks(
        before_job=lambda: ran.append("before"),
        after_job=ran.append,
        on_exit=lambda: ran.append("never"),
    )
    pool = InlinePool("test", 1, hooks=hooks)
    job = pool.submit(lambda: ran.append("work"), label="first")
    with trio.CancelScope() as scope:
        scope.cancel()
        await job.wait()
    assert pool.statistics().queued == 1
    assert job.withdraw()
    await job.wait()
    assert not job.withdraw()
    assert (ran, pool.statistics().queued) == ([], 0)

    second = pool.submit(lambda: ran.append("work"), label="second")
    await pool.aclose(timeout=0)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(second.wait)
    assert ran == ["before", "work", None]
    with pytest.raises(PoolClosed, match="'third' was not run"):
        pool.submit(lambda: None, label="third")


async def test_nonsense_is_refused() -> None:
    """
    What `threads` may be is said.
    """
    with pytest.raises(ValueError, match="threads must be 'pool' or 'inline'. Got: 'none'"):
        async with serve(Application(), threads="none"):  # type: ignore[arg-type]
            pytest.fail("it started")
