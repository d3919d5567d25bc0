# What a case of the parity suite is: one function that knows neither library, and the table of all.
#
# A case gets `api` (_api.py), through which it reaches the modules and the event loop, and returns
# a record of what was observed. A case with `both=True` is run twice, as SyncConsumer and as
# AsyncConsumer: its consumers' methods are written once, as generators, see Colour.

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from parity._rows import ROWS


@dataclass(frozen=True)
class Different:
    """
    A difference that is meant.

    Args:
        because: What a user has of it, as a sentence.
        stock: What exactly is observed with Channels.
        ours: What exactly is observed with Greenroom.
    """

    because: str
    stock: Any
    ours: Any


@dataclass(frozen=True)
class Case:
    """
    One case.

    Args:
        name: Unique.
        row: Of the inventory.
        fact: What it looks at, as a user would say it.
        function: Is given an Api, and a Colour if it has one.
        module: Where it was written.
        colour: ``sync``, ``async`` or empty.
        database: Its tables are emptied before.
        different: Declared difference; None: same.
        redis: It needs one, of which PARITY_REDIS is the URL.
    """

    name: str
    row: str
    fact: str
    function: Callable[..., Any]
    module: str
    colour: str = ""
    database: bool = False
    different: Different | None = None
    redis: bool = False


CASES: dict[str, Case] = {}


def case(
    row: str,
    fact: str,
    *,
    both: bool = False,
    database: bool = False,
    different: Different | dict[str, Different] | None = None,
    redis: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table; *different* by colour if the two differ in it."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        assert row in ROWS, row
        module = function.__module__.rpartition(".")[2]
        one = Case(function.__name__, row, fact, function, module, "", database, None, redis)
        if both:
            found = [
                replace(one, name=f"{one.name}-{colour}", colour=colour)
                for colour in ("sync", "async")
            ]
        else:
            found = [one]
        for made in found:
            assert made.name not in CASES, f"two cases are called {made.name}"
            its = different.get(made.colour) if isinstance(different, dict) else different
            CASES[made.name] = replace(made, different=its)
        return function

    return enter


def all_cases() -> dict[str, Case]:
    """Import all modules of cases and return the table, in the order of the rows."""
    package = importlib.import_module("parity.cases")
    for module in sorted(entry.name for entry in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"parity.cases.{module}")
    return dict(sorted(CASES.items(), key=lambda item: (list(ROWS).index(item[1].row), item[0])))


class Colour:
    """
    Lets the methods of a consumer be written once for both colours: as generators that `yield`
    what an async method would await.

    It is itself the class decorator::

        @colour
        class Echo(colour.WebsocketConsumer):
            def receive(self, text_data=None, bytes_data=None):
                yield self.send(text_data)

    Args:
        name: ``sync`` or ``async``.
        api: Where the classes come from.
    """

    def __init__(self, name: str, api: Any) -> None:
        self.name = name
        self.is_async = name == "async"
        websocket = api.generic.websocket
        prefix = "Async" if self.is_async else ""
        self.Consumer = api.consumer.AsyncConsumer if self.is_async else api.consumer.SyncConsumer
        self.WebsocketConsumer = getattr(websocket, f"{prefix}WebsocketConsumer")
        self.JsonWebsocketConsumer = getattr(websocket, f"{prefix}JsonWebsocketConsumer")

    def __call__(self, made: type) -> type:
        """Colour the methods that this class defines."""
        for name, value in list(vars(made).items()):
            if isinstance(value, classmethod):
                setattr(made, name, classmethod(self.method(value.__func__)))
            elif not inspect.isfunction(value) or inspect.iscoroutinefunction(value):
                continue  # an async def is the same in both: dispatch()
            elif not name.startswith("__"):
                setattr(made, name, self.method(value))
        return made

    def method(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function* as a plain or an async function."""
        wrapper = _as_async(function) if self.is_async else _as_sync(function)
        return functools.wraps(function)(wrapper)

    def layer_call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a handler yields to call a coroutine function of the layer."""
        from asgiref.sync import async_to_sync

        return function(*arguments) if self.is_async else async_to_sync(function)(*arguments)


def _as_sync(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        steps = function(*arguments, **named)
        if not inspect.isgenerator(steps):
            return steps
        result: Any = None
        try:
            while True:
                result = steps.send(result)
        except StopIteration as end:
            return end.value

    return run


def _as_async(function: Callable[..., Any]) -> Callable[..., Any]:
    async def run(*arguments: Any, **named: Any) -> Any:
        steps = function(*arguments, **named)
        if not inspect.isgenerator(steps):
            return steps
        try:
            awaited = next(steps)
            while True:
                try:
                    result = await awaited if inspect.isawaitable(awaited) else awaited
                except BaseException as error:
                    awaited = steps.throw(error)
                else:
                    awaited = steps.send(result)
        except StopIteration as end:
            return end.value

    return run
