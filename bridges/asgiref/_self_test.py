# Whether the installed asgiref, with our methods in place, does on trio what it should.
#
#   task -> thread      sync_to_async: elsewhere than trio's thread
#        -> task        async_to_sync: back on trio's thread
#             -> thread sync_to_async: the same thread as before
#
# All the way a context variable and an asgiref Local go along, and what each step has set comes
# back. In a thread and a run of trio of their own, so it may be asked for wherever Django is set
# up, also inside trio or asyncio. It costs a few milliseconds, once a process.

from __future__ import annotations

import threading
from contextvars import ContextVar
from itertools import pairwise

import trio
from asgiref.local import Local
from asgiref.sync import async_to_sync, sync_to_async

from ...actors import ThreadHooks, ThreadPool
from ...actors._lowlevel import inside_trio
from ._flavour import on_trio
from ._hops import open_hops

_SECONDS = 10.0

_variable: ContextVar[str] = ContextVar("greenroom_self_test")


def trouble_on_trio() -> str:
    """Say what fails; empty if nothing does. Blocks for a moment."""
    test = _SelfTest()
    # Daemon: should it hang, the process can end all the same.
    thread = threading.Thread(target=test.run, name="greenroom-self-test", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the system has none to give; the project starts all the same
        return f"the self-test was not made: {error}"
    thread.join(_SECONDS)
    return f"the self-test did not end: {test.trouble}" if thread.is_alive() else test.trouble


class _SelfTest:
    def __init__(self) -> None:
        self.trouble = "it did not begin"
        self._local = Local()
        self._way: list[str] = []
        self._threads: list[int] = []

    def run(self) -> None:
        """Do it, and tell in `trouble` how it ended."""
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - whatever it is, it is the finding
            self.trouble = f"self-test: {self.trouble}: {type(error).__name__}: {error}"
        else:
            self.trouble = self._verdict()

    async def _main(self) -> None:
        async with open_hops(_pool, threads=1, spare=0, listed=[], timeout=_SECONDS):
            self.trouble = "in sync_to_async()"
            self._set("task")
            await sync_to_async(self._in_thread)()
            self._note("task")

    def _in_thread(self) -> None:
        self._note("thread")
        self.trouble = "in async_to_sync() inside sync_to_async()"
        async_to_sync(self._back)()
        self._note("thread again")

    @on_trio
    async def _back(self) -> None:
        self._note("trio" if inside_trio() else "elsewhere")
        self.trouble = "in sync_to_async() inside async_to_sync()"
        await sync_to_async(self._innermost)()
        self._note("trio again")

    def _innermost(self) -> None:
        self._note("innermost")

    def _note(self, where: str) -> None:
        found = _variable.get("lost"), getattr(self._local, "value", "lost")
        self._way.append(f"{where}: {found[0]}, {found[1]}")
        self._threads.append(threading.get_ident())
        self._set(where)

    def _set(self, value: str) -> None:
        _variable.set(value)
        self._local.value = value

    def _verdict(self) -> str:
        steps = ("task", "thread", "trio", "innermost", "trio again", "thread again", "task")
        wanted = [f"{here}: {before}, {before}" for before, here in pairwise(steps)]
        for found, want in zip(self._way, wanted, strict=True):
            if found != want:
                return f"self-test, a context variable and a Local: {found!r}, not {want!r}"
        of_thread, of_trio, *rest = self._threads
        if of_thread == of_trio or rest != [of_thread, of_trio, of_thread, of_trio]:
            return "self-test: sync_to_async() inside async_to_sync() changes the thread"
        return ""


def _pool(name: str, size: int, *, hooks: ThreadHooks, spare: int) -> ThreadPool:
    return ThreadPool("asgiref self-test", size, spare=spare)  # no hooks: it touches no database
