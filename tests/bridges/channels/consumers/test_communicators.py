# The communicators themselves: what they refuse, how an application's end is told, and the test's
# own data. That they drive consumers is shown by the files beside this one.

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from pathlib import Path
from typing import Any

import pytest
import trio
from channels_support import Run
from django.contrib.auth.models import User
from django.db import connections
from django.test import TestCase
from helpers import task_names

from greenroom.actors import WebsocketConsumer as Native
from greenroom.bridges.channels.db import database_sync_to_async
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.testing import (
    ApplicationCommunicator,
    HttpCommunicator,
    WebsocketCommunicator,
)
from greenroom.bridges.django import Greenroom, path


async def echo(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "fail":
            raise KeyError("broken")
        if message["type"] == "end":
            return
        await send(message)


async def test_it_begins_with_the_first_message() -> None:
    """
    The application is not called before something is sent to it; the scope may be changed.
    """
    seen: list[Any] = []

    async def looks(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["user"])

    communicator = ApplicationCommunicator(looks, {"type": "test"})
    assert not communicator.future.begun
    communicator.scope["user"] = "Eve"
    await communicator.send_input({"type": "any"})
    await communicator.wait()
    assert seen == ["Eve"]


def test_a_timeout_cancels_the_application(run: Run) -> None:
    """
    A receive that times out raises TimeoutError and cancels it; later calls say so.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        with pytest.raises(TimeoutError, match="within 0"):
            await communicator.receive_output(timeout=0.01)
        assert communicator.future.cancelled()
        for call in (communicator.receive_output, communicator.receive_nothing):
            with pytest.raises(asyncio.CancelledError):
                await call()
        with pytest.raises(asyncio.CancelledError):
            await communicator.send_input({"type": "late"})
        await communicator.wait()
        communicator.stop(exceptions=False)

    run(main)


def test_an_error_is_raised_at_once(run: Run) -> None:
    """
    Who waits for a message gets the application's error as soon as it is raised.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "fail"})
        with pytest.raises(KeyError, match="broken"):
            await communicator.receive_output(timeout=3600)
        with pytest.raises(KeyError, match="broken"):
            await communicator.send_input({"type": "more"})
        with pytest.raises(KeyError, match="broken"):
            communicator.stop()
        communicator.stop(exceptions=False)

    run(main)


def test_an_end_is_told_at_once(run: Run) -> None:
    """
    Who waits for a message of an application that has ended waits no longer.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "end"})
        with pytest.raises(TimeoutError, match="has ended"):
            await communicator.receive_output(timeout=3600)
        await communicator.wait()

    run(main)


def test_what_was_sent_before_the_end(run: Run) -> None:
    """
    What it has sent can be received when it has ended.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.send_input({"type": "1"})
        await communicator.send_input({"type": "end"})
        await communicator.wait()
        assert await communicator.receive_output() == {"type": "1"}
        assert await communicator.receive_nothing()

    run(main)


def test_nothing(run: Run) -> None:
    """
    `receive_nothing` says whether nothing came, and takes nothing away.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        assert await communicator.receive_nothing(timeout=0.01)
        await communicator.send_input({"type": "1"})
        assert not await communicator.receive_nothing(timeout=3600)
        assert await communicator.receive_output() == {"type": "1"}
        communicator.stop()

    run(main)


def test_wait_cancels_what_goes_on(run: Run) -> None:
    """
    `wait` gives an application its time, and then cancels it without an error.
    """

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        await communicator.wait(timeout=0.01)
        assert communicator.future.done()

    run(main)


def test_one_that_is_forgotten_ends(run: Run) -> None:
    """
    A communicator that nobody refers to any more has its application cancelled.
    """
    ended: list[bool] = []

    async def lasts(scope: Any, receive: Any, send: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    async def main() -> None:
        communicator = ApplicationCommunicator(lasts, {"type": "test"})
        await communicator.receive_nothing(timeout=0.01)
        running = communicator.future
        del communicator
        await running.wait()

    run(main)
    assert ended == [True]


async def test_a_test_may_end_before_its_application() -> None:
    """
    What a test on trio leaves running ends with it.
    """
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    await communicator.send_input({"type": "1"})
    assert any("under test" in name for name in task_names())
    test_a_test_may_end_before_its_application.kept = communicator  # type: ignore[attr-defined]


def test_the_thread_of_tests_on_asyncio_ends() -> None:
    """
    The trio loop for tests on asyncio ends with the last application.
    """

    async def main() -> None:
        first = ApplicationCommunicator(echo, {"type": "test"})
        second = ApplicationCommunicator(echo, {"type": "test"})
        for communicator in (first, second):
            await communicator.send_input({"type": "1"})
            await communicator.receive_output()
        (thread,) = [each for each in threading.enumerate() if each.name == NAME]
        for communicator in (first, second):
            await communicator.send_input({"type": "end"})
            await communicator.wait()
        thread.join(30)
        assert not thread.is_alive()

    asyncio.run(main())


NAME = "greenroom-communicators"


def test_outside_of_any_loop() -> None:
    """
    A communicator that is used outside of an async test says where it works.
    """
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    code = communicator.send_input({"type": "1"})
    with pytest.raises(RuntimeError, match="pytest-trio"):
        code.send(None)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "You must supply exactly one of text_data or bytes_data"),
        ({"text_data": "", "bytes_data": b""}, "You must supply exactly one of text_data or"),
        ({"text_data": b"x"}, "The text_data argument must be a str"),
        ({"bytes_data": "x"}, "The bytes_data argument must be bytes"),
    ],
)
async def test_what_a_websocket_refuses_to_send(arguments: Any, text: str) -> None:
    """
    `send_to` takes a text or bytes, and says what is wrong.
    """
    communicator = WebsocketCommunicator(AsyncWebsocketConsumer.as_asgi(), "/")
    await communicator.connect()
    with pytest.raises(AssertionError, match=f"^{text}"):
        await communicator.send_to(**arguments)
    await communicator.disconnect()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "no.such"}, "Expected type 'websocket.send', but was 'no.such'"),
        (
            {"type": "websocket.send", "text": "a", "bytes": None},
            "The response needs exactly one of 'text' or 'bytes'",
        ),
        ({"type": "websocket.send", "bytes": b"a"}, "JSON data is not a text frame, it is <class"),
    ],
)
async def test_what_a_websocket_refuses_to_receive(message: Any, text: str) -> None:
    """
    `receive_json_from` takes a text frame, and says what else came.
    """
    communicator = WebsocketCommunicator(echo, "/")
    await communicator.send_input(message)
    with pytest.raises(AssertionError) as raised:
        await communicator.receive_json_from()
    assert text in str(raised.value)
    communicator.stop()


def test_scopes() -> None:
    """
    A path may be quoted and have a query; a path that is no text is refused.
    """
    with pytest.raises(TypeError, match="^Expected str, got <class 'bytes'>$"):
        WebsocketCommunicator(echo, b"/")  # type: ignore[arg-type]
    headers = [(b"a", b"b")]
    websocket = WebsocketCommunicator(echo, "/a%20b?c=d", headers, ["chat"], spec_version="2.4")
    assert websocket.scope == {
        "type": "websocket",
        "path": "/a b",
        "query_string": b"c=d",
        "headers": headers,
        "subprotocols": ["chat"],
        "spec_version": "2.4",
    }
    http = HttpCommunicator(echo, "get", "/a%20b?c=d", headers=headers)
    assert http.scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/a b",
        "query_string": b"c=d",
        "headers": headers,
    }


class NativeEcho(Native):
    async def receive(self, text: str) -> None:
        if text == "crash":
            raise KeyError("broken")
        await self.send(text)


@pytest.mark.parametrize("what", ["Greenroom", "class"])
def test_with_a_tree(run: Run, what: str) -> None:
    """
    A `Greenroom(...)`, or a consumer of ours, has its lifespan run around the one connection.
    """

    async def main() -> None:
        application: Any = NativeEcho.as_asgi()
        if what == "Greenroom":
            application = Greenroom(websocket=[path("chat", NativeEcho)])
        communicator = WebsocketCommunicator(application, "/chat")
        assert await communicator.connect() == (True, None)
        await communicator.send_to(text_data="crash")
        await communicator.send_to(text_data="hi")
        assert await communicator.receive_from() == "hi"
        await communicator.disconnect(timeout=30)

    run(main)


class Signup(WebsocketConsumer):
    def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        User.objects.create(username=text_data)
        self.send(str(User.objects.count()))


class AsyncSignup(AsyncWebsocketConsumer):
    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await User.objects.acreate(username=text_data)
        await self.send(str(await User.objects.acount()))


class OnAsyncioSignup(AsyncSignup):
    on_asyncio = True


class DecoratedSignup(AsyncWebsocketConsumer):
    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        await self.send(await self.sign_up(text_data))

    @database_sync_to_async
    def sign_up(self, name: str) -> str:
        User.objects.create(username=name)
        return str(User.objects.count())


@pytest.mark.parametrize("consumer", [Signup, AsyncSignup, OnAsyncioSignup, DecoratedSignup])
class TestTheTestsData:
    """
    Under pytest-django and under Django's TestCase.
    """

    @pytest.mark.django_db
    def test_a_pytest_tests(self, tables: None, run: Run, consumer: Any) -> None:
        """
        A consumer sees what the test wrote, and what it writes is rolled back with the test.
        """
        User.objects.create(username="by the test")

        async def main() -> None:
            for turn in (1, 2):
                communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
                await communicator.connect()
                await communicator.send_to(text_data=f"by {consumer.__name__} {turn}")
                assert await communicator.receive_from() == str(1 + turn)
                await communicator.disconnect()

        run(main)
        assert User.objects.count() == 3

    def test_an_async_method_of_testcase(self, tables: None, consumer: Any) -> None:
        """
        So with an `async def` method of Django's TestCase.
        """

        class Case(TestCase):
            async def test(self) -> None:
                await User.objects.acreate(username="by the test")
                communicator = WebsocketCommunicator(consumer.as_asgi(), "/")
                await communicator.connect()
                await communicator.send_to(text_data="by the consumer")
                assert await communicator.receive_from() == "2"
                await communicator.disconnect()
                assert await User.objects.acount() == 2

        result = unittest.TestResult()
        Case("test")(result)
        assert (result.testsRun, result.errors, result.failures) == (1, [], [])
        assert User.objects.count() == 0


@pytest.mark.django_db
def test_a_transaction_stays_open(tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What `database_sync_to_async` cleans up leaves a connection alone that is in a transaction.
    """
    closed: list[Any] = []
    connection = connections["default"]
    connection.close_at = 0.0  # long ago
    monkeypatch.setattr(type(connection), "close", closed.append)

    async def main() -> None:
        communicator = WebsocketCommunicator(DecoratedSignup.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(text_data="eve")
        assert await communicator.receive_from() == "1"
        await communicator.disconnect()

    trio.run(main)
    assert connection not in closed


def test_under_pytest_asyncio(tmp_path: Path) -> None:
    """
    Tests with `pytest.mark.asyncio`, as users of Channels have them, run with other imports.
    """
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent("""
            from django.conf import settings
            settings.configure(
                CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
                DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:",
                                       "TEST": {"NAME": "test.sqlite3"}}},
                INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            )
            import django
            django.setup()
        """)
    )
    (tmp_path / "test_chat.py").write_text(
        textwrap.dedent("""
            import pytest
            from channels_of_mine import Chat, User
            from greenroom.bridges.channels.testing import WebsocketCommunicator

            @pytest.mark.asyncio
            async def test_chat():
                one = WebsocketCommunicator(Chat.as_asgi(), "/ws/")
                other = WebsocketCommunicator(Chat.as_asgi(), "/ws/")
                assert await one.connect() == (True, None)
                assert await other.connect() == (True, None)
                await one.send_json_to({"message": "hello"})
                assert await one.receive_json_from() == {"message": "hello"}
                assert await other.receive_json_from() == {"message": "hello"}
                await one.disconnect()
                await other.disconnect()

            @pytest.fixture
            def user(db):
                User.objects.create(username="by a fixture")

            async def count_users(wanted):
                one = WebsocketCommunicator(Chat.as_asgi(), "/ws/")
                await one.connect()
                await User.objects.acreate(username="by the test")
                await one.send_json_to({"count": True})
                assert await one.receive_json_from() == {"count": wanted}
                assert await User.objects.acount() == wanted
                await one.disconnect()

            @pytest.mark.asyncio
            @pytest.mark.django_db(transaction=True)
            async def test_data():
                await count_users(1)

            @pytest.mark.asyncio
            @pytest.mark.parametrize("turn", [1, 2])
            async def test_a_fixtures_data(user, turn):
                await count_users(2)
        """)
    )
    (tmp_path / "channels_of_mine.py").write_text(
        textwrap.dedent("""
            from django.contrib.auth.models import User
            from asgiref.sync import async_to_sync
            from greenroom.bridges.channels.generic.websocket import JsonWebsocketConsumer

            class Chat(JsonWebsocketConsumer):
                groups = ["chat"]

                def receive_json(self, content):
                    if "count" in content:
                        self.send_json({"count": User.objects.count()})
                    else:
                        message = {"type": "chat.message", **content}
                        async_to_sync(self.channel_layer.group_send)("chat", message)

                def chat_message(self, event):
                    self.send_json({"message": event["message"]})
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error",
         "-o", "asyncio_default_fixture_loop_scope=function", "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_no_time_passes_that_is_not_asked_for() -> None:
    """
    Under a virtual clock a communicator's hour is over at once.
    """
    from greenroom.bridges.testing import virtual_clock

    async def main() -> None:
        communicator = ApplicationCommunicator(echo, {"type": "test"})
        with pytest.raises(TimeoutError):
            await communicator.receive_output(timeout=3600)

    began = time.monotonic()
    trio.run(main, clock=virtual_clock())
    assert time.monotonic() - began < 1800
