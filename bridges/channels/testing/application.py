"""The communicator of any application: it sends messages, and receives them."""

from __future__ import annotations

from typing import Any, cast

from asgiref import compatibility

from ...django._on_trio import teach_asgiref
from .._rest import Rest
from ._database import share
from ._loop import require_loop
from ._mail import Mail, pause, within
from ._running import Running

_SECONDS_TO_END = 10.0


class ApplicationCommunicator:
    """
    Runs *application* with *scope* and talks to it, from a test on trio or on asyncio.

    It begins with the first message. What it raises the next call raises. The application runs on
    trio; a ``Greenroom(...)`` has its lifespan around it. Its worker threads see the test's open
    transaction.
    """

    def __init__(self, application: Any, scope: dict[str, Any]) -> None:
        self.application: Any = cast("Any", compatibility).guarantee_single_callable(application)
        self.scope = scope
        self.input_queue = Mail()
        rest = Rest()
        self.output_queue = Mail(rest)
        self._running = Running(self.input_queue, self.output_queue, rest)

    @property
    def future(self) -> Running:
        """The application's task. It has a future's ``done()``, ``result()`` and ``cancel()``."""
        return self._running

    async def send_input(self, message: Any) -> None:
        """
        Give the application one message.

        Raises:
            BaseException: What the application has raised.
        """
        running = await self._begun()
        if running.done():
            running.result()
        self.input_queue.put(message)

    async def receive_output(self, timeout: float = 1) -> Any:
        """
        Return the next message that the application sends.

        The handler that has sent it is over by then, unless it takes longer than half a
        second: what it does behind its `send` is done, as under Channels.

        Raises:
            BaseException: What the application has raised.
            TimeoutError: None came within *timeout* seconds, and the application is cancelled;
                or it has ended, and none will come.
        """
        running = await self._begun()
        if running.done():
            running.result()
        in_time = await within(timeout, self.output_queue.wait)
        if not self.output_queue.empty():
            return self.output_queue.get_nowait()
        if running.done():
            running.result()
            raise TimeoutError("the application has ended: it sends nothing more")
        assert not in_time
        await self._cancel(running)
        raise TimeoutError(f"the application sent nothing within {timeout:g} s")

    async def receive_nothing(self, timeout: float = 0.1, interval: float = 0.01) -> bool:
        """
        Whether the application sends nothing within *timeout* seconds.

        Args:
            interval: Without a meaning here: what comes is noticed at once.
        """
        running = await self._begun()
        if running.done():
            running.result()
        if self.output_queue.closed:
            await pause(0)
        else:
            await within(timeout, self.output_queue.wait)
        return self.output_queue.empty()

    async def wait(self, timeout: float = 1) -> None:
        """
        Wait *timeout* seconds for the application's end; then cancel it.

        Raises:
            BaseException: What it has raised.
        """
        running = await self._begun()
        if not await within(timeout, running.wait):
            await self._cancel(running)
        if not running.cancelled():
            running.result()

    def stop(self, exceptions: bool = True) -> None:
        """Have the application cancelled; if it has ended, raise what it raised."""
        if not self._running.done():
            self._running.cancel()
        elif exceptions:
            self._running.result()

    def __del__(self) -> None:
        running: Running | None = vars(self).get("_running")
        if running is not None and not running.done():
            running.cancel()

    async def _begun(self) -> Running:
        if not self._running.begun:
            require_loop()
            teach_asgiref()
            self._running.begin(self.application, self.scope, await share())
        return self._running

    async def _cancel(self, running: Running) -> None:
        running.cancel()
        if not await within(_SECONDS_TO_END, running.wait):
            raise RuntimeError(
                f"the application did not end within {_SECONDS_TO_END:g} s, though it was cancelled"
            )
