# What others ask of a supervisor, served by its own task, one after the other.
#
# So what an operator asks never runs in the middle of a restart. The line is as long as there
# are tasks that wait in it: each has one place, and takes it along when it is cancelled.

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from ..actors._lowlevel import Parker
from ._errors import SupervisorStopping

R = TypeVar("R")


class _Request:
    def __init__(self, act: Callable[[], Awaitable[Any]]) -> None:
        self.act = act
        self.done = trio.Event()
        self.result: Any = None
        self.error: Exception | None = None


class Requests:
    """The line before one supervisor. Loop thread only."""

    def __init__(self, path: str, bell: Parker) -> None:
        self._path = path
        self._bell = bell
        self._line: OrderedDict[_Request, None] = OrderedDict()  # who leaves it costs no search
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether somebody waits."""
        return bool(self._line)

    async def ask(self, act: Callable[[], Awaitable[R]]) -> R:
        """
        Have the supervisor do *act* and return what that returns. Always a checkpoint.

        Served in turn, and bounded as what is asked for is. A cancellation before its turn
        takes it back; after that it is done all the same.

        Raises:
            SupervisorStopping: Nobody serves any more.
            Exception: What *act* raises.
        """
        if self._closed:
            raise SupervisorStopping(self._path)
        request = _Request(act)
        self._line[request] = None
        self._bell.wake()
        try:
            await request.done.wait()
        except trio.Cancelled:
            self._line.pop(request, None)
            raise
        if request.error is not None:
            raise request.error
        result: R = request.result
        return result

    async def serve_one(self) -> None:
        """Do what was asked first. A checkpoint as that is."""
        request, _ = self._line.popitem(last=False)
        try:
            request.result = await request.act()
        except Exception as error:  # noqa: BLE001 - it is the asker's
            request.error = error
        finally:
            request.done.set()

    def close(self) -> None:
        """Refuse who waits, and whoever comes."""
        self._closed = True
        while self._line:
            request, _ = self._line.popitem(last=False)
            request.error = SupervisorStopping(self._path)
            request.done.set()

    def open(self) -> None:
        """Take requests, again."""
        self._closed = False
