# Greenroom in Django's own test classes, run by `manage.py test` and by pytest.

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._postgres import Postgres, running_postgres
from projects import Project

pytestmark = pytest.mark.slow

TESTS = """
    from urllib.request import urlopen

    from django.test import SimpleTestCase, TestCase, TransactionTestCase
    from greenroom.bridges.testing import (
        GreenroomLiveServerTestCase, GreenroomTestCase, SlowReader, SocketClosed,
    )
    from notes.models import Note

    class InTransaction(GreenroomTestCase, TestCase):
        @classmethod
        def setUpTestData(cls):
            Note.objects.create(text="everybody's")

        def test_plain(self):
            Note.objects.create(text="mine")
            with self.server.websocket("/ws/") as client:
                client.send_text("x")
                self.assertEqual(client.receive_text(), "3: x")
                client.send_text("boom")
                client.wait_crash(ValueError)
            self.assertEqual(Note.objects.count(), 3)

        async def test_async(self):
            await Note.objects.acreate(text="mine")
            async with self.server.websocket("/ws/") as client:
                client.send_text("x")
                self.assertEqual(await client.receive_text(), "3: x")
            self.assertEqual(await Note.objects.acount(), 3)
            answer = await self.server.http("GET", "/later/")
            self.assertEqual(answer.body, b"3")

        def test_nothing_is_left(self):
            self.assertEqual(Note.objects.count(), 1)

    class Committed(GreenroomTestCase, TransactionTestCase):
        def test_plain(self):
            Note.objects.create(text="mine")
            with self.server.websocket("/ws/") as client:
                client.send_text("x")
                self.assertEqual(client.receive_text(), "2: x")
            self.assertEqual(Note.objects.count(), 2)

        async def test_async(self):
            await Note.objects.acreate(text="mine")
            async with self.server.websocket("/ws/") as client:
                client.send_text("x")
                self.assertEqual(await client.receive_text(), "2: x")

    class NoDatabase(GreenroomTestCase, SimpleTestCase):
        virtual_clock = True

        def test_plain(self):
            with self.server.websocket("/wait/") as client:
                client.send_text("86400")
                self.assertEqual(client.receive_text(timeout=90000), "done")

    class Live(GreenroomLiveServerTestCase):
        def test_socket(self):
            Note.objects.create(text="mine")
            with SlowReader(self.live_server_ws_url + "/ws/") as client:
                client.send_text("x")
                self.assertEqual(client.receive(), "2: x")
            self.assertEqual(Note.objects.count(), 2)

        def test_requests(self):
            url = self.live_server_url
            self.assertEqual(urlopen(url + "/static/hello.txt", timeout=20).read(), b"hello\\n")
            self.assertEqual(urlopen(url + "/count/", timeout=20).read(), b"0")
            self.assertEqual(urlopen(url + "/later/", timeout=20).read(), b"0")

        def test_slow_reader(self):
            with SlowReader(self.live_server_ws_url + "/wait/") as client:
                client.send_text("much")
                [slot] = self.live_server.sockets("waits")
                self.live_server.wait_event("output.slow", path=slot.path, timeout=60)
                self.assertEqual(client.drain().code, 1013)
    """


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A throw-away PostgreSQL."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgres"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project with SQLite in memory, or PostgreSQL."""
    database = None
    if request.param == "postgres":
        postgres = request.getfixturevalue("postgres")
        database = postgres.settings(postgres.create())
    return Project(tmp_path, database)


WRONG_ORDER = """
    from django.test import SimpleTestCase
    from greenroom.bridges.testing import GreenroomTestCase

    class Mixed(GreenroomTestCase):
        pass

    class Wrong(SimpleTestCase, Mixed):
        def test_that_is_never_run(self):
            pass
    """


def test_the_mix_in_comes_first(tmp_path: Path) -> None:
    """
    Behind Django's class it would lend nothing: the class is refused, in words that help.
    """
    project = Project(tmp_path)
    assert project.manage_test(WRONG_ORDER) != 0
    assert "Write class Wrong(GreenroomTestCase, TestCase)" in project.output
    assert "Got: class Wrong(SimpleTestCase, Mixed)" in project.output


def test_manage_py_test(project: Project) -> None:
    """
    Plain and async methods of each class drive the application, on the test's own data.
    """
    project.passed(project.manage_test(TESTS), 9)


PYTEST = """
    import pytest
    from notes.models import Note

    def test_plain(db, greenroom_server):
        Note.objects.create(text="mine")
        with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert client.receive_text() == "2: x"

    @pytest.mark.asyncio
    @pytest.mark.django_db
    async def test_asyncio(greenroom_server):
        await Note.objects.acreate(text="mine")
        async with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert await client.receive_text() == "2: x"
        assert await Note.objects.acount() == 2

    @pytest.mark.django_db(transaction=True)
    def test_committed(live_greenroom):
        from greenroom.bridges.testing import SlowReader
        Note.objects.create(text="mine")
        with SlowReader(live_greenroom.ws_url + "/ws/") as client:
            client.send_text("x")
            assert client.receive() == "2: x"
        live_greenroom.wait_closed()

    def test_nothing_is_left(db):
        assert Note.objects.count() == 0
    """


def test_the_fixtures(project: Project) -> None:
    """
    So do the plugin's fixtures, in a transaction and without.
    """
    project.passed(project.pytest(PYTEST), 4)


def test_in_parallel(project: Project) -> None:
    """
    In processes of `manage.py test --parallel` it is the same.
    """
    project.passed(project.manage_test(TESTS, "--parallel", "2"), 9)


def test_with_pytest(project: Project) -> None:
    """
    The same classes pass below pytest-django.
    """
    project.passed(project.pytest(TESTS), 9)
