# What a case is given: the modules of one of the two libraries, and its event loop.
#
# The loop's half is filled by _on_asyncio.py or _on_trio.py. Nothing here imports either library.

import importlib
import os
import types
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = float(os.environ.get("PARITY_SECONDS", "15"))
"""How long anything may take that must happen; a case that passes waits for none of it."""
QUIET = 0.05
"""How long something that must not happen is waited for."""


class Modules:
    """
    A package whose modules are imported when they are named: ``api.generic.websocket``.
    """

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        path = f"{self._module.__name__}.{name}"
        if hasattr(self._module, "__path__"):
            try:
                return Modules(importlib.import_module(path))
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
        found = getattr(self._module, name)
        return Modules(found) if isinstance(found, types.ModuleType) else found

    def __setattr__(self, name: str, value: Any) -> None:
        """Set it in the module itself; the mutations of _wrong.py do."""
        if name == "_module":
            super().__setattr__(name, value)
        else:
            setattr(self._module, name, value)


class Task:
    """
    Something that a case runs beside itself.
    """

    def __init__(self) -> None:
        self.outcome: Any = None
        """``["returned", value]``, an exception or ``"cancelled"``; None while it runs."""
        self.cancel: Callable[[], None] = lambda: None
        """Cancel it."""

    async def run(self, api: "Api", function: Callable[..., Awaitable[Any]], *given: Any) -> None:
        """Run it to its end, whichever that is; only a cancellation is raised."""
        try:
            self.outcome = ["returned", await function(*given)]
        except api.Cancelled:
            self.outcome = "cancelled"
            raise
        except Exception as error:
            self.outcome = error


class Api(Modules):
    """
    One library and its loop; see the subclasses.

    Args:
        package: ``channels`` or ``greenroom.bridges.channels``.
    """

    Cancelled: type[BaseException]

    def __init__(self, package: str) -> None:
        super().__init__(importlib.import_module(package))
        self.__dict__["package"] = package

    # The loop's half.

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        raise NotImplementedError

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run *function* in a thread that has nothing to do with the loop; return what it did."""
        raise NotImplementedError

    def event(self) -> Any:
        """Return an event: ``set()``, ``is_set()``, ``await wait()``."""
        raise NotImplementedError

    def fail_after(self, seconds: float) -> Any:
        """Return an async context manager that raises TimeoutError."""
        raise NotImplementedError

    def spawn(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Task:
        """Run *function* beside the case; at the case's end it is cancelled."""
        raise NotImplementedError

    def from_thread(self, function: Callable[[], Any]) -> None:
        """Call *function* in the loop's thread, soon; to be called in another thread."""
        raise NotImplementedError

    # What is the same for both.

    async def outcome(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call *function*, async or not; return ``["returned", value]`` or the exception."""
        try:
            result = function(*given, **named)
            if hasattr(result, "__await__"):
                result = await result
        except Exception as error:
            return error
        return ["returned", result]

    def raised(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """As :meth:`outcome`, for a plain function."""
        try:
            return ["returned", function(*given, **named)]
        except Exception as error:
            return error

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait until ``true()`` is; that it does not come fails the case."""
        async with self.fail_after(SECONDS):
            while not true():
                await self.sleep(0.002)

    async def ended(self, task: Task) -> Any:
        """Wait until *task* has ended, and return its outcome."""
        await self.until(lambda: task.outcome is not None)
        return task.outcome

    def drive(self, app: Any, scope: dict[str, Any] | None = None) -> "Driver":
        """Start *app* as a server would; see Driver."""
        return Driver(self, app, {"type": "websocket", "path": "/", "headers": []} | (scope or {}))

    @contextmanager
    def settings(self, **changed: Any) -> Iterator[None]:
        """Change Django's settings for a block."""
        from django.test import override_settings

        with override_settings(**changed):
            yield

    def layer(self) -> Any:
        """Return the default channel layer."""
        return self.layers.get_channel_layer()

    def groups(self) -> dict[str, int]:
        """Return how many members each group of the default layer has; a group without is none."""
        return {name: len(members) for name, members in self.layer().groups.items() if members}


class Driver:
    """
    A server that runs one application: gives it messages, and keeps what it sends.

    Args:
        api: Whose loop.
        app: The application.
        scope: Its scope.
    """

    def __init__(self, api: Api, app: Any, scope: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.taken = 0
        """How many messages the application has asked for and been given."""
        self._api = api
        self._waiting: list[dict[str, Any]] = []
        self._news = api.event()
        self.task = api.spawn(app, scope, self._receive, self._send)

    def give(self, *messages: dict[str, Any]) -> None:
        """Have messages there for the application."""
        self._waiting.extend(messages)
        self._news.set()

    def text(self, *texts: str) -> None:
        """Give text frames."""
        self.give(*({"type": "websocket.receive", "text": text} for text in texts))

    async def connect(self) -> dict[str, Any]:
        """Give the connect event; return what the application answers first."""
        self.give({"type": "websocket.connect"})
        await self.until(1)
        return self.sent[0]

    async def until(self, number: int) -> None:
        """Wait until the application has sent so many messages, or has ended."""
        await self._api.until(lambda: len(self.sent) >= number or self.task.outcome is not None)

    async def disconnect(self, code: int = 1000) -> Any:
        """Say that the client has gone; return how the application ended."""
        self.give({"type": "websocket.disconnect", "code": code})
        return await self.ended()

    async def ended(self) -> Any:
        """Wait until the application has ended by itself; return how."""
        return await self._api.ended(self.task)

    async def cancelled(self) -> Any:
        """Cancel the application, as a server does that shuts down; return how it ended."""
        self.task.cancel()
        return await self.ended()

    async def _receive(self) -> dict[str, Any]:
        while not self._waiting:
            self._news = self._api.event()
            await self._news.wait()
        self.taken += 1
        return self._waiting.pop(0)

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
