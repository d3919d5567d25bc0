# asyncio beside trio, in a thread of its own.

import asyncio
import gc
import re
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any

import pytest
import trio
from asgiref.sync import sync_to_async

from greenroom.bridges.asgiref import SideLoop, current_hops

seen: ContextVar[str] = ContextVar("seen", default="nothing")


async def test_outcome() -> None:
    """
    OUTCOME: values and errors come back, SystemExit included, and the loop goes on.
    """
    side_loop = current_hops().side_loop

    async def give(value: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(value, BaseException):
            raise value
        return value

    loops = {await side_loop.run(running_loop) for _ in range(3)}
    assert len(loops) == 1
    for error in (ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await side_loop.run(lambda error=error: give(error))
    assert await side_loop.run(lambda: give(1)) == 1


async def running_loop() -> Any:
    return asyncio.get_running_loop()


async def test_nothing_of_a_call_stays() -> None:
    """
    What a call was made with is gone when it is over, not when garbage is collected.
    """
    side_loop = current_hops().side_loop

    class Argument:
        pass

    async def call(argument: Argument) -> None:
        await asyncio.sleep(0)

    argument = Argument()
    gone = weakref.ref(argument)
    gc.disable()
    try:
        await side_loop.run(partial(call, argument))
        del argument
        await side_loop.run(running_loop)  # behind what the loop still had to do
    finally:
        gc.enable()
    assert gone() is None


async def test_no_call_begins_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While a call begins, in whatever thread, the loop can't be told to end: else nobody tells of it.
    """
    side_loop, may_end = SideLoop(), list[bool]()

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *args: Any, **options: Any) -> asyncio.Handle:
            if threading.current_thread().name == "begins":
                may_end.append(side_loop._starting.acquire(blocking=False))
            return super().call_soon_threadsafe(*args, **options)

    monkeypatch.setattr(asyncio, "new_event_loop", Loop)
    ended = threading.Event()
    send = partial(
        side_loop.send,
        running_loop,
        context=copy_context(),
        label="a call",
        ended=lambda _value, _error: ended.set(),
    )
    thread = threading.Thread(target=send, name="begins")
    thread.start()
    assert await trio.to_thread.run_sync(ended.wait, 10)
    await trio.to_thread.run_sync(thread.join)
    monkeypatch.undo()

    assert may_end == [False]
    await side_loop.aclose(5)
    assert send() is None


async def test_cancelled() -> None:
    """
    CANCELLED: trio's cancellation cancels the asyncio task, and is over when that has ended.
    """
    side_loop, ended = current_hops().side_loop, list[str]()
    began = threading.Event()

    async def forever() -> None:
        began.set()
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(side_loop.run, forever)
            while not began.is_set():
                await trio.lowlevel.checkpoint()
            assert side_loop.labels() == ["test_cancelled.<locals>.forever"]
            scope.cancel()
    assert ended == ["ended"]
    assert side_loop.labels() == []


async def test_an_error_of_a_cancelled_call(caplog: pytest.LogCaptureFixture) -> None:
    """
    CANCELLED: what a call raises when it is cancelled is logged; the cancellation is raised.
    """
    began = threading.Event()

    async def refusing() -> None:
        began.set()
        try:
            await asyncio.sleep(1e6)
        finally:
            raise LookupError("while it ends")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(current_hops().side_loop.run, refusing)
        while not began.is_set():
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert "refusing raised after it was cancelled" in caplog.text
    assert "LookupError: while it ends" in caplog.text


async def test_a_cancelled_task_of_asyncio() -> None:
    """
    CANCELLED: an asyncio task that waits for trio cancels what it waits for.
    """
    side_loop, ended = current_hops().side_loop, list[str]()
    began = threading.Event()

    async def of_trio() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.append("trio")

    async def of_asyncio() -> None:
        task = asyncio.create_task(side_loop.on_trio(of_trio))
        while not began.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ended.append("asyncio")

    await side_loop.run(of_asyncio)
    assert ended == ["trio", "asyncio"]


async def test_context() -> None:
    """
    CONTEXT: variables go over and come back, both ways.
    """
    side_loop = current_hops().side_loop

    async def of_trio() -> None:
        assert seen.get() == "asyncio"
        seen.set("trio")

    async def of_asyncio() -> None:
        assert seen.get() == "task"
        seen.set("asyncio")
        await side_loop.on_trio(of_trio)
        assert seen.get() == "trio"
        seen.set("at last")

    seen.set("task")
    await side_loop.run(of_asyncio)
    assert seen.get() == "at last"


async def test_sync_code_of_its_tasks() -> None:
    """
    Sync code that asyncio tasks have done runs in the pool "orm", many at a time.
    """

    async def tasks() -> list[str]:
        work = sync_to_async(lambda: threading.current_thread().name)
        return await asyncio.gather(*(work() for _ in range(20)))

    assert all(name.startswith("orm-") for name in await current_hops().side_loop.run(tasks))


async def test_a_cancelled_hop_of_asyncio() -> None:
    """
    An asyncio task that is cancelled in a hop waits for the thread, then ends cancelled.
    """
    began, go, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        began.set()
        go.wait(20)
        done.append("work")

    async def tasks() -> None:
        task = asyncio.create_task(sync_to_async(work)())
        while not began.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    await current_hops().side_loop.run(tasks)
    assert done == ["work"]


async def test_closed_before_it_has_run() -> None:
    """
    A loop whose end comes before its thread's first step ends like any other.
    """
    side_loop, loop = SideLoop(), asyncio.new_event_loop()
    side_loop._closing = True
    loop.call_soon(loop.stop)
    await trio.to_thread.run_sync(side_loop._main, loop)
    assert loop.is_closed()


async def test_closed() -> None:
    """
    Its end cancels its tasks; after that it takes nothing.
    """
    side_loop, ended = SideLoop(), list[str]()

    async def leave_a_task() -> None:
        async def task() -> None:
            try:
                await asyncio.sleep(1e6)
            finally:
                ended.append("task")

        tasks.append(asyncio.create_task(task()))
        await asyncio.sleep(0)

    tasks: list[Any] = []
    await side_loop.run(leave_a_task)
    await side_loop.aclose(5)
    assert ended == ["task"]
    assert "closed" in repr(side_loop)
    with pytest.raises(RuntimeError, match="closed"):
        await side_loop.run(leave_a_task)


async def refuses() -> None:
    REFUSING.set()
    while not GIVES_IN.is_set():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:  # noqa: ASYNC103
            continue  # noqa: ASYNC104


async def never_closes() -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        await refuses()


async def stands_still() -> None:
    REFUSING.set()
    GIVES_IN.wait()


REFUSING, GIVES_IN = threading.Event(), threading.Event()


@pytest.fixture
def refusing() -> Iterator[None]:
    """
    Lets what refuses to end do so at last.
    """
    REFUSING.clear()
    GIVES_IN.clear()
    yield
    GIVES_IN.set()
    for thread in threading.enumerate():
        if thread.name == "greenroom-asyncio":
            thread.join()


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("task", r"Task-\d+ does not end, .*: refuses \(.*test_side_loop.py:\d+\) > sleep"),
        ("generator", r"an async generator does not close. Open were: never_closes"),
        ("thread", r"threads of asyncio.to_thread\(\) go on; .*: asyncio_\d+ in .*:\d+ "),
        ("loop", r"has not ended within 0.4 s: it is here:\n(.*\n)*.*GIVES_IN.wait()"),
    ],
)
async def test_what_refuses_to_end(kind: str, named: str, caplog: Any) -> None:
    """
    What refuses to end with the loop is named in the log, and does not hold the end up.
    """
    kept: list[Any] = []

    async def start() -> None:
        if kind == "task":
            kept.append(asyncio.create_task(refuses()))
        elif kind == "generator":
            kept.append(never_closes())
            await anext(kept[0])
        elif kind == "thread":
            kept.append(asyncio.get_running_loop().run_in_executor(None, GIVES_IN.wait))
            REFUSING.set()
        await asyncio.sleep(0)

    side_loop = SideLoop(grace_seconds=0)
    async with trio.open_nursery() as nursery:
        await side_loop.run(start)
        if kind == "loop":
            nursery.start_soon(side_loop.run, stands_still)
        if kind != "generator":
            await trio.to_thread.run_sync(REFUSING.wait)
        with trio.fail_after(30):
            await side_loop.aclose(0.4)
            # Its thread, which has to be given the time for it, may tell of it later.
            while not re.search(named, caplog.text):  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
        GIVES_IN.set()

    assert re.search(named, caplog.text), caplog.text


@pytest.mark.usefixtures("refusing")
async def test_who_waits_for_what_refuses(caplog: Any) -> None:
    """
    Who waits for a call that has refused to end with the loop is told.
    """
    side_loop = SideLoop()

    async def wait() -> None:
        with pytest.raises(RuntimeError, match="the call of it did not end with the asyncio loop"):
            await side_loop.run(refuses, label="the call of it")

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.to_thread.run_sync(REFUSING.wait)
            await side_loop.aclose(0.4)

    assert side_loop.labels() == []
    assert "the call of it does not end, though it was cancelled" in caplog.text


async def test_what_ends_when_it_is_asked_again(caplog: Any) -> None:
    """
    A task that takes no notice of its first cancellation is cancelled once more, and not named.
    """
    asked: list[str] = []
    kept: list[Any] = []

    async def hesitates() -> None:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            asked.append("once")
        await asyncio.sleep(1e6)

    async def start() -> None:
        kept.append(asyncio.create_task(hesitates()))
        await asyncio.sleep(0)

    side_loop = SideLoop()
    await side_loop.run(start)
    with trio.fail_after(30):
        await side_loop.aclose(0.4)

    assert kept[0].cancelled()
    assert asked == ["once"]
    assert "does not end" not in caplog.text


@pytest.mark.parametrize("how", ["is cancelled", "raises when it is cancelled"])
async def test_nothing_of_a_cancelled_call_stays(how: str, caplog: Any) -> None:
    """
    What a cancelled task of asyncio waited for on trio is gone with it; what that raised is logged.
    """

    class Argument:
        pass

    began, gone = threading.Event(), list[weakref.ref[Argument]]()

    async def of_trio(_argument: Argument) -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            if how != "is cancelled":
                raise LookupError("while it ends")

    async def of_asyncio() -> None:
        argument = Argument()
        gone.append(weakref.ref(argument))
        await side_loop.on_trio(partial(of_trio, argument))

    async def cancels() -> None:
        task = asyncio.create_task(of_asyncio())
        while not began.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    side_loop = current_hops().side_loop
    await side_loop.run(running_loop)
    gc.disable()
    try:
        await side_loop.run(cancels)
        await side_loop.run(running_loop)  # behind what the loop still had to do
        left = [each() for each in gone]
    finally:
        gc.enable()

    if how == "is cancelled":
        assert (left, caplog.text) == ([None], "")
    else:  # what is logged pytest keeps
        assert "LookupError: while it ends" in caplog.text


@pytest.mark.parametrize("how", ["exits", "stops the loop"])
async def test_a_task_that_breaks_the_end_off(how: str, caplog: Any) -> None:
    """
    A task that exits, or stops the loop, when it is cancelled does not keep others from their end.
    """
    ended: list[str] = []
    kept: list[Any] = []

    async def breaks_off() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            if how == "exits":
                raise SystemExit(3)
            asyncio.get_running_loop().stop()

    async def takes_its_time() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            ended.append("in its time")

    async def start() -> None:
        kept.extend(asyncio.create_task(each()) for each in (breaks_off, takes_its_time))
        await asyncio.sleep(0)

    side_loop = SideLoop()
    await side_loop.run(start)
    await side_loop.aclose(5)
    raised = [None if each.cancelled() else each.exception() for each in kept]

    assert ended == ["in its time"]
    assert ("SystemExit: 3" in caplog.text) == (how == "exits")
    assert [type(error).__name__ for error in raised if error] == ["SystemExit"] * (how == "exits")
