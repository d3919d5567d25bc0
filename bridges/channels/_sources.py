# Several sources of messages, awaited at the same time.
#
# The bare mode has two: the client and the channel layer. What a source or a handler raises comes
# out as it is, when its turn has come, and not in an exception group: callers catch it by its type.
#
# A source is awaited again when its message has been handled, so that none is taken out of a
# layer which a handler's failure, or the end, would lose. One that has to be heard meanwhile, as
# the client of a request that may leave, is one message ahead.

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import trio

Source = Callable[[], Awaitable[Any]]
Dispatch = Callable[[Any], Awaitable[object]]


async def dispatch_all(
    functions: Sequence[Source], dispatch: Dispatch, *, ahead: Collection[Source] = ()
) -> None:
    """
    Await all of *functions*, again and again, and *dispatch* what they return, one at a time.

    Of those that have something the first goes first. Ends only by an exception. A checkpoint;
    a cancellation cancels what is awaited.

    Args:
        functions: The sources.
        dispatch: Awaited with each message.
        ahead: Those of *functions* that are awaited again while their message is handled. What
            they have then is lost with the end.
    """
    sources = [_Source(function, ahead=function in ahead) for function in functions]
    news = _News()
    outcome: BaseException | None = None
    async with trio.open_nursery() as nursery:
        for source in sources:
            nursery.start_soon(source.run, news)
        try:
            await _dispatch(sources, news, dispatch)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001, ASYNC103 - raised below, out of the nursery
            outcome = error
        nursery.cancel_scope.cancel()
    try:
        assert outcome is not None
        raise outcome
    finally:
        del outcome  # its traceback holds this frame


async def _dispatch(sources: "list[_Source]", news: "_News", dispatch: Dispatch) -> None:
    while True:
        await news.wait()
        for source in sources:
            if source.has:
                await dispatch(source.take())
                source.go_on()


class _News:
    """Tells that a source has something."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


class _Source:
    """One source, and what it has returned or raised."""

    def __init__(self, function: Source, *, ahead: bool) -> None:
        self.has = False
        self._function = function
        self._ahead = ahead
        self._value: Any = None
        self._error: BaseException | None = None
        self._taken = trio.Event()

    def take(self) -> Any:
        """Return what it has, or raise what it raised."""
        self.has = False
        value, self._value = self._value, None
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None
        if self._ahead:
            self._taken.set()
        return value

    def go_on(self) -> None:
        """Have it awaited again: what it had was handled."""
        if not self._ahead:
            self._taken.set()

    async def run(self, news: _News) -> None:
        while True:
            try:
                self._value = await self._function()
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001, ASYNC103 - it is raised by take()
                self._error = error
            self._taken = trio.Event()
            self.has = True
            news.set()
            await self._taken.wait()
