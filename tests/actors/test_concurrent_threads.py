# Concurrent `def` handlers: threads at the same time, told when they are to stop.

import threading
import time
from typing import Any

from helpers import happened, running, settle, watch

from greenroom.actors import Actor, handles
from greenroom.supervisor import Options


async def test_threads() -> None:
    """
    `def` handlers run in threads at the same time, and a crash makes their further acts stale.
    """
    inside, outcome = threading.Semaphore(0), list[str]()

    class Threads(Actor):
        @handles("job", concurrent=2)
        def job(self, message: dict[str, Any]) -> None:
            inside.release()
            try:
                while True:
                    self.join("somewhere")
                    time.sleep(0)
            except Exception as error:
                outcome.append(type(error).__name__)
                raise

        @handles("crash")
        async def crash(self, message: object) -> None:
            raise ValueError("on purpose")

    async with running(Threads) as server:
        ref = server.root.find("/residents/threads")
        for _ in range(2):
            ref.cast({"type": "job"})
        await settle(lambda: inside.acquire(blocking=False))
        await settle(lambda: inside.acquire(blocking=False))
        restarted = watch(server, "slot.restarted")
        ref.cast({"type": "crash"})
        await restarted.until()

    assert outcome == ["Stale", "Stale"]


async def test_a_stop_is_told_to_threads() -> None:
    """
    At a stop what a thread does next is Stale; what waited for a thread was not begun, and is a
    dead letter.
    """
    inside, outcome = threading.Semaphore(0), list[str]()

    class Threads(Actor):
        shutdown_seconds = 60.0

        @handles("job", concurrent=2)
        def job(self, message: dict[str, Any]) -> None:
            inside.release()
            try:
                while True:
                    self.join("somewhere")
                    time.sleep(0)
            except Exception as error:
                outcome.append(type(error).__name__)
                raise

    options = Options(consumer_threads=1, shutdown_seconds=1, total_shutdown_seconds=90)
    async with running(Threads, options=options) as server:
        ref = server.root.find("/residents/threads")
        for _ in range(2):
            ref.cast({"type": "job"})
        await settle(lambda: inside.acquire(blocking=False))
        ended = watch(server, "slot.ended", ref.path)
        ref.stop()
        await ended.until()
        letters = happened(server, "message.dead_letter", ref.path)

    assert outcome == ["Stale"]
    assert len(letters) == 1
