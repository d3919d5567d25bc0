# Tests as a user writes them; run by tests/e2e/test_user_tests.py.
import pytest
import trio
from django.test import TestCase
from greenroom.bridges.testing import serve, virtual_clock

from mysite.databases import application
from notes.models import Note


async def everybody_sees():
    async with serve(application) as server:
        assert (await server.http("GET", "/db/count/?text=x", headers=HOST)).body == b'{"count": 1}'
        async with server.websocket("/ws/") as socket:
            socket.send_text("count x")
            assert await socket.receive_text() == "counted 1"
            socket.send_text("write y")
            assert await socket.receive_text() == "wrote True"
        assert await Note.objects.filter(text="y").acount() == 1
        assert (await server.http("GET", "/db/async/", headers=HOST)).body == b'{"count": 1}'


HOST = [("host", "localhost")]


class TestInDjangosClass(TestCase):
    @classmethod
    def setUpTestData(cls):
        Note.objects.create(text="x")

    def test_sync(self):
        trio.run(everybody_sees)
        self.assertEqual(Note.objects.filter(text="y").count(), 1)

    def test_clock(self):
        trio.run(everybody_sees, clock=virtual_clock())

    def test_nothing_is_left(self):
        self.assertEqual(Note.objects.count(), 1)


@pytest.fixture
def x(db):
    return Note.objects.create(text="x")


async def test_with_db(x):
    await everybody_sees()


def test_nothing_is_left(db):
    assert Note.objects.count() == 0


@pytest.mark.django_db(transaction=True)
async def test_with_transaction():
    async with serve(application) as server:
        async with server.websocket("/ws/") as socket:
            socket.send_text("write z")
            assert await socket.receive_text() == "wrote True"
        assert await Note.objects.acount() == 1
