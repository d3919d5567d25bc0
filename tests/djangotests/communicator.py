# asgiref's ApplicationCommunicator, for an application on trio.

from typing import Any

import trio

from greenroom.actors._lowlevel import start_system_task


class ApplicationCommunicator:
    """Runs an ASGI application for a test, which sends to it and receives from it."""

    def __init__(self, application: Any, scope: dict[str, Any]) -> None:
        self.application, self.scope = application, scope
        self._to, self._input = trio.open_memory_channel[Any](100)
        self._output, self._from = trio.open_memory_channel[Any](100)
        self._began = False
        self._ended = trio.Event()
        self._error: BaseException | None = None
        self._cancel = trio.CancelScope()

    def _begin(self) -> None:
        if not self._began:
            self._began = True
            start_system_task(self._run, "application")

    async def _run(self) -> None:
        try:
            with self._cancel:
                await self.application(self.scope, self._input.receive, self._output.send)
        except Exception as error:  # the test gets it
            self._error = error
        finally:
            self._ended.set()

    async def send_input(self, message: Any) -> None:
        """Give the application *message*."""
        self._begin()
        self._to.send_nowait(message)

    async def receive_output(self, timeout: float = 1) -> Any:
        """Return what it sends next; raise what it raised, or TimeoutError, and end it."""
        self._begin()
        try:
            with trio.fail_after(timeout):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._cancel_at_the_end, nursery.cancel_scope)
                    message = await self._from.receive()
                    nursery.cancel_scope.cancel()
                    return message
        except trio.TooSlowError:
            self._cancel.cancel()
            await self._ended.wait()
            self._raise()
            raise TimeoutError from None
        self._raise()
        raise TimeoutError

    async def _cancel_at_the_end(self, scope: trio.CancelScope) -> None:
        await self._ended.wait()
        if not self._from.statistics().current_buffer_used:
            scope.cancel()

    async def receive_nothing(self, timeout: float = 0.1, interval: float = 0.01) -> bool:
        """Say whether it sends nothing for *timeout* seconds."""
        self._begin()
        with trio.move_on_after(timeout):
            while not self._from.statistics().current_buffer_used:
                if self._ended.is_set():
                    return True
                await trio.sleep(interval)
        return not self._from.statistics().current_buffer_used

    async def wait(self, timeout: float = 1) -> None:
        """Wait for its end; raise what it raised."""
        self._begin()
        with trio.move_on_after(timeout):
            await self._ended.wait()
        self._cancel.cancel()
        await self._ended.wait()
        self._raise()

    def stop(self, exceptions: bool = True) -> None:
        """End it."""
        self._cancel.cancel()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
