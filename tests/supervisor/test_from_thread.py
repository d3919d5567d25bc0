# What worker threads have done on trio.

import threading
from typing import Any

import pytest
import trio
from helpers import happened, running, settle

from greenroom.actors import Actor, CallTimeout, SelfCall, Stale, WrongSide, handles
from greenroom.supervisor import ChildNotFound, Options, SupervisorStopping, current_root

PATH = "/residents/worker"
ONE_THREAD = Options(consumer_threads=1)


class Worker(Actor):
    """Does what it is given, in its thread; `results` is its class's."""

    results: list[Any]

    @handles("do")
    def on_do(self, message):
        self.results.append(message["do"](current_root()))

    @handles("epoch")
    def on_epoch(self, message):
        return self.epoch


class Other(Worker):
    results = []


def worker() -> type[Worker]:
    """Return a class with a list of its own."""
    return type("Worker", (Worker,), {"results": []})


def do(function: Any) -> dict[str, Any]:
    """Return the message to call *function* with the root, in a thread."""
    return {"type": "do", "do": function}


async def double(number: int) -> int:
    """An async function like any."""
    await trio.sleep(0)
    return 2 * number


async def test_all_of_the_administration() -> None:
    """
    Async functions are awaited, others called; results and errors are the thread's.
    """

    def administer(root):
        root.from_thread(root.residents.stop_child, "other")
        with pytest.raises(ChildNotFound):
            root.from_thread(root.residents.stop_child, "nobody")
        root.from_thread(root.residents.start_child, "other")
        epoch = root.from_thread(root.restart, "/residents/other")
        root.from_thread(root.reset_budget, "/residents/other")
        counts = root.from_thread(root.residents.counts)
        return epoch, counts.active, root.from_thread(double, 21)

    cls = worker()
    async with running(cls, Other) as server:
        await server.root.find(PATH).call(do(administer))
    assert cls.results == [(2, 2, 42)]


async def test_free() -> None:
    """
    FREE: with one thread in the pool, another `def` handler is called and answers meanwhile.
    """

    def ask(root):
        other = root.find("/residents/other")
        return root.from_thread(other.call, {"type": "epoch"})

    cls = worker()
    async with running(cls, Other, options=ONE_THREAD) as server:
        await server.root.find(PATH).call(do(ask))
    assert cls.results == [1]


async def test_carried() -> None:
    """
    CARRIED: whatever the function raises is raised in the thread, and hurts nobody else.
    """

    async def leave() -> None:
        raise SystemExit(3)

    def catch(root):
        with pytest.raises(SystemExit) as told:
            root.from_thread(leave)
        with pytest.raises(ZeroDivisionError):
            root.from_thread(lambda: 1 / 0)
        return told.value.code

    cls = worker()
    async with running(cls) as server:
        await server.root.find(PATH).call(do(catch))
        assert server.root.up
    assert cls.results == [3]


async def test_owned_by_the_one_who_waits() -> None:
    """
    OWNED: past its time, or when its incarnation is to end, what a thread asked for is cancelled.
    """
    ended: list[str] = []
    begun: list[str] = []

    async def forever(name: str) -> None:
        begun.append(name)
        try:
            await trio.sleep_forever()
        finally:
            ended.append(name)

    def too_long(root):
        while not begun:  # on a busy machine its time may be over before trio comes to it
            with pytest.raises(CallTimeout, match=r"forever did not reply within 0\.05 s"):
                root.from_thread(forever, "late", timeout=0.05)

    def told(root):
        try:
            root.from_thread(forever, "told", timeout=60)
        except Stale:
            ended.append("Stale")
            raise

    async with running(worker()) as server:
        ref = server.root.find(PATH)
        await ref.call(do(too_long))
        await settle(lambda: ended == ["late"])
        ref.cast(do(told))
        await settle(lambda: begun == ["late", "told"])
        await server.root.restart(PATH)
        await settle(lambda: sorted(ended) == ["Stale", "late", "told"])
        assert happened(server, "slot.crashed") == []


async def test_owned_by_the_tree() -> None:
    """
    The tree's end cancels what runs, and refuses what comes; its threads are told.
    """
    seen: list[BaseException] = []
    begun: list[bool] = []
    root: Any = None

    async def forever() -> None:
        begun.append(True)
        await trio.sleep_forever()

    def wait() -> None:
        try:
            root.from_thread(forever, timeout=60)
        except SupervisorStopping as error:
            seen.append(error)

    async with running(worker()) as server:
        root = server.root
        thread = threading.Thread(target=wait)
        thread.start()
        await settle(lambda: begun)
    with pytest.raises(SupervisorStopping, match="/ is stopping: it takes no requests"):
        await trio.to_thread.run_sync(lambda: root.from_thread(forever))
    await settle(lambda: not thread.is_alive())
    assert len(seen) == 1


def test_after_the_loop() -> None:
    """
    A thread that is left when the loop has ended is refused in the same words.
    """
    roots: list[Any] = []

    async def main() -> None:
        async with running() as server:
            roots.append(server.root)

    trio.run(main)
    refused: list[str] = []

    def ask() -> None:
        try:
            roots[0].from_thread(double, 1)
        except SupervisorStopping as error:
            refused.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert refused == ["/ is stopping: it takes no requests"]


async def test_the_context_is_the_callers() -> None:
    """
    The function knows the tree, and whose handler waits for it: that one can't be called.
    """

    def look(root):
        with pytest.raises(SelfCall):
            root.from_thread(root.find(PATH).call, {"type": "epoch"})
        return root.from_thread(current_root) is root

    cls = worker()
    async with running(cls) as server:
        await server.root.find(PATH).call(do(look))
    assert cls.results == [True]


async def test_the_wrong_side() -> None:
    """
    On trio it is refused; so is what is no function, above all a coroutine.
    """

    def wrong(root):
        with pytest.raises(TypeError, match=r"from_thread\(root.restart, path\). Got: coroutine"):
            root.from_thread(double(1))
        with pytest.raises(ValueError, match="timeout must be 0 seconds or more"):
            root.from_thread(double, 1, timeout=-1)
        return "refused"

    cls = worker()
    async with running(cls) as server:
        with pytest.raises(WrongSide, match="use the function itself there"):
            server.root.from_thread(double, 1)
        await server.root.find(PATH).call(do(wrong))
    assert cls.results == ["refused"]
