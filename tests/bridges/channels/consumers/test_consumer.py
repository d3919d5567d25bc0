# The consumers without a tree: what is dispatched where, in which order, and who gets errors.

import threading
from typing import Any

import pytest
from channels_support import Run

from greenroom.bridges.channels.consumer import AsyncConsumer, SyncConsumer, get_handler_name
from greenroom.bridges.channels.exceptions import StopConsumer
from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.channels.testing import ApplicationCommunicator
from greenroom.bridges.channels.utils import name_that_thing


class Echo(AsyncConsumer):
    """
    Answers.
    """

    def __init__(self, word: str = "") -> None:
        self.word = word

    async def do_echo(self, message: Any) -> None:
        await self.send({"type": "answer", "word": self.word + message.get("word", "")})

    async def do_fail(self, message: Any) -> None:
        raise KeyError("broken")

    async def do_stop(self, message: Any) -> None:
        raise StopConsumer

    async def do_whoami(self, message: Any) -> None:
        layer = self.channel_layer is get_channel_layer()
        await self.send({"type": "answer", "name": self.channel_name, "layer": layer, **self.scope})


class InThread(SyncConsumer):
    def do_echo(self, message: Any) -> None:
        thread = threading.current_thread().name
        self.send({"type": "answer", "word": message["word"], "thread": thread})

    def do_from_own_thread(self, message: Any) -> None:
        other = threading.Thread(target=self.send, args=[{"type": "answer"}])
        other.start()
        other.join()

    def do_fail(self, message: Any) -> None:
        raise KeyError("broken")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({}, "Incoming message has no 'type' attribute"),
        ({"type": "_private"}, "Malformed type in message (leading underscore)"),
        ({"type": ".private"}, "Malformed type in message (leading underscore)"),
    ],
)
def test_a_message_that_names_no_method(message: Any, error: str) -> None:
    """
    A message without a type, or with one that would be private, is refused.
    """
    with pytest.raises(ValueError) as raised:
        get_handler_name(message)
    assert str(raised.value) == error


def test_a_type_names_a_method() -> None:
    """
    Each dot of a type is an underscore of the method's name.
    """
    assert get_handler_name({"type": "chat.message.new"}) == "chat_message_new"


@pytest.mark.parametrize("consumer", [Echo, InThread])
def test_an_unknown_type_raises(run: Run, consumer: Any) -> None:
    """
    A type that no method handles is an error, which the caller gets.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(consumer.as_asgi(), {"type": "test"})
        await communicator.send_input({"type": "no.such"})
        with pytest.raises(ValueError, match=r"^No handler for message type no\.such$"):
            await communicator.receive_output()

    run(main)


def test_each_scope_has_an_object_of_its_own(run: Run) -> None:
    """
    `as_asgi` makes a consumer for each scope, with its keywords, and is named like the class.
    """
    application = Echo.as_asgi(word="so: ")
    assert application.consumer_class is Echo
    assert application.consumer_initkwargs == {"word": "so: "}
    assert (application.__name__, application.__doc__) == ("Echo", Echo.__doc__)
    assert name_that_thing(application) == name_that_thing(Echo) == f"{__name__}.Echo"

    async def main() -> None:
        communicator = ApplicationCommunicator(application, {"type": "test"})
        await communicator.send_input({"type": "do.echo", "word": "hi"})
        assert await communicator.receive_output() == {"type": "answer", "word": "so: hi"}
        communicator.stop()

    run(main)


def test_an_instance_is_an_application(run: Run) -> None:
    """
    An object of a consumer class serves whoever calls it.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(Echo("one: "), {"type": "test"})
        await communicator.send_input({"type": "do.echo", "word": "hi"})
        assert (await communicator.receive_output())["word"] == "one: hi"
        communicator.stop()

    run(main)


def test_what_is_set_on_it(run: Run) -> None:
    """
    A consumer has its scope, its layer, and a channel that the layer delivers to.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(Echo.as_asgi(), {"type": "test", "extra": 1})
        await communicator.send_input({"type": "do.whoami"})
        answer = await communicator.receive_output()
        assert answer["layer"]
        assert answer["extra"] == 1
        await get_channel_layer().send(answer["name"], {"type": "do.echo", "word": "by layer"})
        assert (await communicator.receive_output())["word"] == "by layer"
        communicator.stop()

    run(main)


def test_without_a_layer(run: Run, settings: Any) -> None:
    """
    Without a layer `channel_layer` is None, and there is no `channel_name`.
    """
    settings.CHANNEL_LAYERS = {}
    seen: list[Any] = []

    class Looks(AsyncConsumer):
        async def do_look(self, message: Any) -> None:
            seen.append((self.channel_layer, hasattr(self, "channel_name")))
            raise StopConsumer

    async def main() -> None:
        communicator = ApplicationCommunicator(Looks.as_asgi(), {"type": "test"})
        await communicator.send_input({"type": "do.look"})
        await communicator.wait()

    run(main)
    assert seen == [(None, False)]


def test_def_handlers_run_in_a_thread(run: Run) -> None:
    """
    Each handler of a SyncConsumer runs in a worker thread, and so does what it sends.
    """

    async def main() -> None:
        here = threading.current_thread().name
        communicator = ApplicationCommunicator(InThread.as_asgi(), {"type": "test"})
        await communicator.send_input({"type": "do.echo", "word": "hi"})
        answer = await communicator.receive_output()
        assert answer["word"] == "hi"
        assert answer["thread"] not in (here, "greenroom-communicators")
        await communicator.send_input({"type": "do.from.own.thread"})
        assert await communicator.receive_output() == {"type": "answer"}
        communicator.stop()

    run(main)


@pytest.mark.parametrize("consumer", [Echo, InThread])
def test_an_error_is_the_callers(run: Run, consumer: Any) -> None:
    """
    What a handler raises without a tree comes out as it is, from each call that follows.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(consumer.as_asgi(), {"type": "test"})
        await communicator.send_input({"type": "do.fail"})
        for call in (communicator.receive_output, communicator.receive_nothing, communicator.wait):
            with pytest.raises(KeyError, match="broken"):
                await call()

    run(main)


def test_stop_consumer_is_a_quiet_end(run: Run) -> None:
    """
    StopConsumer ends the application without an error.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(Echo.as_asgi(), {"type": "test"})
        await communicator.send_input({"type": "do.stop"})
        await communicator.wait()
        assert not communicator.future.cancelled()

    run(main)


def test_messages_are_handled_in_order(run: Run) -> None:
    """
    One message at a time, in the order in which they came; no handler begins in another's midst.
    """
    log: list[str] = []

    class Slow(AsyncConsumer):
        on_asyncio = False

        async def do_step(self, message: Any) -> None:
            import trio

            log.append(f"begin {message['n']}")
            await trio.sleep(0)
            await trio.sleep(0)
            log.append(f"end {message['n']}")
            if message["n"] == 2:
                raise StopConsumer

    async def main() -> None:
        communicator = ApplicationCommunicator(Slow.as_asgi(), {"type": "test"})
        for n in range(3):
            await communicator.send_input({"type": "do.step", "n": n})
        await communicator.wait()

    run(main)
    assert log == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]


def test_dispatch_may_be_overridden(run: Run) -> None:
    """
    `dispatch` sees each message of an async consumer and of a sync one, and may change it.
    """

    class Tracing:
        async def dispatch(self, message: Any) -> None:
            await super().dispatch({**message, "word": message["word"] + "!"})  # type: ignore[misc]

    class Async(Tracing, Echo):
        pass

    class Sync(Tracing, InThread):
        pass

    async def main() -> None:
        for consumer in (Async, Sync):
            communicator = ApplicationCommunicator(consumer.as_asgi(), {"type": "test"})
            await communicator.send_input({"type": "do.echo", "word": "hi"})
            assert (await communicator.receive_output())["word"] == "hi!"
            communicator.stop()

    run(main)


def test_a_consumer_called_on_asyncio_says_what_to_do() -> None:
    """
    Called by an asyncio server, a consumer names the worker that it needs.
    """
    import asyncio

    async def nothing(*_: Any) -> Any:
        pass

    with pytest.raises(RuntimeError, match="hypercorn -k trio"):
        asyncio.run(Echo.as_asgi()({"type": "test"}, nothing, nothing))


def test_wrong_supervision_is_refused() -> None:
    """
    What a class says about its supervision is checked when the class is made.
    """
    with pytest.raises(TypeError, match="Did you mean 'max_restarts'"):
        type("Wrong", (AsyncConsumer,), {"supervision": {"max_restart": 1}})
    with pytest.raises(ValueError, match="max_restarts"):
        type("Wrong", (AsyncConsumer,), {"supervision": {"max_restarts": -1}})
