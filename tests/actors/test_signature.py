# Parameters matched by name when a class is created.

import functools
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.actors._signature import compile_message, compile_named

OFFERED = {"text": "text", "bytes": "bytes", "text_data": "text", "message": "message"}
ITEM = SimpleNamespace(text="t", bytes="b", message="m")


def run(function: Any, compiler: Any = None) -> Any:
    """Compile *function* as a handler and call it on a new object."""
    if compiler is None:
        handler = compile_named("Chat.receive", function, OFFERED)
    else:
        handler = compiler("Chat.receive", function)
    owner = type("Chat", (), {"receive": function})()
    return handler.call(owner, ITEM)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self: (), ()),
        (lambda self, text: (text,), ("t",)),
        (lambda self, bytes, text: (bytes, text), ("b", "t")),
        (lambda self, message, bytes, text: (message, bytes, text), ("m", "b", "t")),
        (lambda self, text_data: (text_data,), ("t",)),
        (lambda self, text, bytes=None: (text, bytes), ("t", "b")),
        (lambda self, text, own=7, bytes=None: (text, own, bytes), ("t", 7, "b")),
        (lambda self, *, bytes, text: (bytes, text), ("b", "t")),
        (lambda self, text, *, own=7, bytes: (text, own, bytes), ("t", 7, "b")),
        (lambda self, text, *args, **kwargs: (text, args, kwargs), ("t", (), {})),
        (lambda self, text, /, bytes: (text, bytes), ("t", "b")),
    ],
)
def test_parameters_are_matched_by_name(function: Any, expected: object) -> None:
    """
    A handler gets what it names, in any order, and leaves out what it does not use.
    """
    assert run(function) == expected


def test_a_handler_is_called_by_the_name_it_has_in_its_class() -> None:
    """
    A decorator that hides the function's own name does not hide the handler.
    """

    def loud(function):
        def wrapper(self, text):
            return function(self, text.upper())

        return wrapper

    @loud
    def receive(self, text):
        return text

    assert run(receive) == "T"


def test_an_overriding_method_is_the_one_that_runs() -> None:
    """
    A subclass's method is called, although the base class's was compiled.
    """

    def receive(self, text):
        return "base"

    handler = compile_named("Chat.receive", receive, OFFERED)
    instance = type("Loud", (), {"receive": lambda self, text: text.upper()})()

    assert handler.call(instance, ITEM) == "T"


def test_an_unknown_parameter_is_refused_with_what_was_expected() -> None:
    """
    An unknown required name is a TypeError at class creation that lists the names there are.
    """
    with pytest.raises(TypeError) as caught:

        class Chat(WebsocketConsumer):
            def receive(self, data):
                pass

    assert "Chat.receive: unknown parameter 'data'" in str(caught.value)
    assert "text, bytes, text_data, bytes_data, message" in str(caught.value)
    assert "Got: def receive(self, data)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("connect", "def connect(self, text): ...", "any of: message."),
        ("disconnect", "async def disconnect(self, why): ...", "message, code, close_code, reason"),
        ("started", "def started(self, message): ...", "any of: nothing."),
        ("restarted", "def restarted(self, error): ...", "any of: reason."),
    ],
)
def test_each_hook_says_what_it_offers(name: str, source: str, expected: str) -> None:
    """
    The error for each special handler names that handler's own parameters.
    """
    space: dict[str, Any] = {}
    exec(source, space)
    with pytest.raises(TypeError, match=r"Got: (async )?def") as caught:
        type("Chat", (WebsocketConsumer,), {name: space[name]})

    assert expected in str(caught.value)


def test_a_handler_without_self_is_refused() -> None:
    """
    A handler that takes nothing at all is told to be a method.
    """
    with pytest.raises(TypeError, match=r"is a method and takes self. Got: def receive\(\)"):

        class Chat(WebsocketConsumer):
            def receive():  # type: ignore[misc]
                pass


def test_generators_are_refused() -> None:
    """
    A handler that yields would never run, so it is refused, sync or async.
    """
    with pytest.raises(TypeError, match="returns, it does not yield"):

        class Chat(WebsocketConsumer):
            def receive(self, text):
                yield text

    with pytest.raises(TypeError, match="returns, it does not yield. Got: async def tick"):

        class Ticker(Actor):
            @handles("tick")
            async def tick(self, message):
                yield message


def test_async_is_seen_through_decorators() -> None:
    """
    A decorated `async def` handler still counts as one that runs on trio.
    """

    async def receive(self, text):
        return text

    @functools.wraps(receive)
    def wrapped(self, text):
        return receive(self, text)

    def plain(self, text):
        return text

    assert compile_named("Chat.receive", receive, OFFERED).is_async
    assert compile_named("Chat.receive", wrapped, OFFERED).is_async
    assert not compile_named("Chat.receive", plain, OFFERED).is_async
    assert repr(compile_named("Chat.receive", receive, OFFERED)) == "<Handler async def receive>"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self: "none", "none"),
        (lambda self, event: event, "m"),
        (lambda self, event, other=1: (event, other), ("m", 1)),
        (lambda self, *args: args, ()),
        (lambda self, *, flag=False: flag, False),
    ],
)
def test_a_declared_handler_takes_the_message_under_any_name(
    function: Any, expected: object
) -> None:
    """
    An @handles handler takes the message by position, or nothing.
    """
    assert run(function, compile_message) == expected


@pytest.mark.parametrize(
    "source",
    ["def on(self, a, b): ...", "def on(self, *, a): ...", "async def on(self, a, b, c=1): ..."],
)
def test_a_declared_handler_takes_one_message(source: str) -> None:
    """
    More than one required parameter is refused, with the signature.
    """
    space: dict[str, Any] = {}
    exec(source, space)
    with pytest.raises(TypeError, match=r"takes one parameter, the message. Got: (async )?def on"):
        compile_message("Chat.on", space["on"])
