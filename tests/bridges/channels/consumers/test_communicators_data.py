# What a test wrote is there for its application, and what that writes goes with the test.

import subprocess
import sys
import textwrap
import unittest
from pathlib import Path
from typing import Any

import pytest
import trio
from channels_support import Run
from django.contrib.auth.models import User
from django.db import connections
from django.test import TestCase

from greenroom.bridges.channels.db import database_sync_to_async
from greenroom.bridges.channels.generic.websocket import (
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from greenroom.bridges.channels.testing import (
    WebsocketCommunicator,
)


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
    In a transaction of the test, and under Django's TestCase; pytest-django's own is below.
    """

    def test_a_pytest_tests(self, rolled_back: None, run: Run, consumer: Any) -> None:
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

    def test_an_async_method_of_testcase(self, database: None, consumer: Any) -> None:
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


def test_a_transaction_stays_open(rolled_back: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What `database_sync_to_async` cleans up leaves a connection alone that is in a transaction.
    """
    closed: list[Any] = []
    connection = connections["default"]
    connection.close_at = 0.0  # long ago

    async def main() -> None:
        communicator = WebsocketCommunicator(DecoratedSignup.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(text_data="eve")
        assert await communicator.receive_from() == "1"
        await communicator.disconnect()

    with monkeypatch.context() as patched:
        patched.setattr(type(connection), "close", closed.append)
        trio.run(main)
    assert connection not in closed


@pytest.mark.slow
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
