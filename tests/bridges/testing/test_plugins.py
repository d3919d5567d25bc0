# The fixtures beside each plugin that runs tests: pytest-trio, pytest-django, pytest-asyncio,
# anyio, xdist, and none.

from pathlib import Path

import pytest
from projects import Project

PLAIN = """
    def test_driver(db, greenroom_server):
        from notes.models import Note
        Note.objects.create(text="mine")
        with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert client.receive_text() == "2: x"
            client.crash(KeyError("on purpose"))
            assert client.wait_restarted().epoch == 2
            client.send_text("y")
            assert client.receive_text() == "3: y"
        assert Note.objects.count() == 3
        assert greenroom_server.http("GET", "/count/").body == b"3"
        assert greenroom_server.http("GET", "/later/").body == b"3"

    def test_nothing_is_left(db):
        from notes.models import Note
        assert Note.objects.count() == 0

    def test_live(live_greenroom, db):
        from urllib.request import urlopen
        from websockets.sync.client import connect
        from notes.models import Note
        Note.objects.create(text="mine")
        url = live_greenroom.url
        assert urlopen(url + "/static/hello.txt", timeout=20).read() == b"hello\\n"
        assert urlopen(url + "/count/", timeout=20).read() == b"1"
        with connect(live_greenroom.ws_url + "/ws/") as client:
            client.send("x")
            assert client.recv(20) == "2: x"
            [slot] = live_greenroom.sockets("notes")
            live_greenroom.crash(slot.path, KeyError("on purpose"))
            live_greenroom.wait_restarted(slot.path)
            client.send("y")
            assert client.recv(20) == "3: y"
        live_greenroom.wait_closed()
        assert Note.objects.count() == 3

    def test_clock(greenroom_server, greenroom_clock):
        with greenroom_server.websocket("/wait/") as client:
            client.send_text("86400")
            assert client.receive_text(timeout=90000) == "done"
        greenroom_server.crash("/residents/ticker")
        greenroom_server.wait_restarted("/residents/ticker")
    """

ASYNC = """
    import pytest
    {mark}

    @pytest.mark.django_db
    async def test_driver(greenroom_server):
        from notes.models import Note
        await Note.objects.acreate(text="mine")
        async with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert await client.receive_text() == "2: x"
            client.crash(KeyError("on purpose"))
            assert (await client.wait_restarted()).epoch == 2
            client.send_text("y")
            assert await client.receive_text() == "3: y"
        assert await Note.objects.acount() == 3
        answer = await greenroom_server.http("GET", "/count/")
        assert answer.body == b"3"

    @pytest.mark.django_db
    async def test_nothing_is_left():
        from notes.models import Note
        assert await Note.objects.acount() == 0

    @pytest.mark.django_db
    async def test_by_hand():
        from greenroom.bridges.testing import share_connections
        from notes.models import Note
        with share_connections():
            await Note.objects.acreate(text="mine")
            assert await Note.objects.acount() == 1

    @pytest.mark.django_db
    async def test_nothing_is_left_by_hand():
        from notes.models import Note
        assert await Note.objects.acount() == 0

    @pytest.mark.django_db(transaction=True)
    async def test_transaction(greenroom_server):
        from notes.models import Note
        await Note.objects.acreate(text="mine")
        async with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert await client.receive_text() == "2: x"
        assert await Note.objects.acount() == 2

    @pytest.mark.django_db
    async def test_live(live_greenroom):
        from notes.models import Note
        await Note.objects.acreate(text="mine")
        from greenroom.bridges.testing import SlowReader
        with SlowReader(live_greenroom.ws_url + "/ws/") as client:
            client.send_text("x")
            assert client.receive() == "2: x"
            [slot] = live_greenroom.sockets("notes")
            live_greenroom.crash(slot.path, KeyError("on purpose"))
            await live_greenroom.wait_restarted(slot.path)
        await live_greenroom.wait_closed()
        assert await Note.objects.acount() == 2
    """


pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with SQLite in memory."""
    return Project(tmp_path)


def test_pytest_django(project: Project) -> None:
    """
    Plain functions drive by blocking, on the test's data, which is rolled back afterwards.
    """
    project.passed(project.pytest(PLAIN), 4)


def test_xdist(project: Project) -> None:
    """
    In processes of pytest-xdist it is the same.
    """
    project.passed(project.pytest(PLAIN, "-n", "2"), 4)


def test_pytest_trio(project: Project) -> None:
    """
    On pytest-trio the application runs in the test's own loop.
    """
    tests = (
        ASYNC.format(mark="")
        + """
    async def test_own_loop(greenroom_server, greenroom_clock):
        import trio
        from greenroom.bridges.testing import ServerDriver
        assert type(greenroom_server) is ServerDriver
        assert greenroom_server.root.find("/residents/ticker").alive
        async with greenroom_server.websocket("/wait/") as client:
            client.send_text("86400")
            assert await client.receive_text(timeout=90000) == "done"
        assert trio.current_time() >= 86400
    """
    )
    project.passed(project.pytest(tests, "-p", "no:asyncio", ini="trio_mode = true"), 7)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(project: Project, mode: str) -> None:
    """
    On pytest-asyncio the same tests pass, the application on trio in a thread of its own.
    """
    mark = "pytestmark = pytest.mark.asyncio" if mode == "strict" else ""
    tests = (
        ASYNC.format(mark=mark)
        + """
    async def test_clock(greenroom_server, greenroom_clock):
        async with greenroom_server.websocket("/wait/") as client:
            client.send_text("86400")
            assert await client.receive_text(timeout=90000) == "done"
    """
    )
    project.passed(project.pytest(tests, "-p", "no:trio", ini=f"asyncio_mode = {mode}"), 7)


@pytest.mark.parametrize("backend", ["'asyncio'", "('trio', {'clock': greenroom_clock})"])
def test_anyio(project: Project, backend: str) -> None:
    """
    With anyio's plugin the same tests pass on either backend.
    """
    tests = (
        ASYNC.format(mark="pytestmark = pytest.mark.anyio")
        + f"""
    async def test_clock(greenroom_server, greenroom_clock):
        async with greenroom_server.websocket("/wait/") as client:
            client.send_text("86400")
            assert await client.receive_text(timeout=90000) == "done"

    @pytest.fixture
    def anyio_backend(greenroom_clock):
        return {backend}
    """
    )
    project.passed(project.pytest(tests, "-p", "no:trio", "-p", "no:asyncio"), 7)


def test_anyio_on_another_clock(project: Project) -> None:
    """
    On trio it is anyio's backend that is given the clock: the error says how.
    """
    tests = """
    import pytest
    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["trio"])
    async def test_it(greenroom_server, greenroom_clock):
        pass
    """
    assert project.pytest(tests, "-p", "no:trio", "-p", "no:asyncio") == 1
    assert "return 'trio', {'clock': greenroom_clock}" in project.output


def test_a_communicator_that_is_left(project: Project) -> None:
    """
    The next test has its data, its application, and no crash of the one before.
    """
    tests = """
    import pytest
    from greenroom.bridges.channels.generic.websocket import WebsocketConsumer
    from greenroom.bridges.channels.testing import WebsocketCommunicator
    from notes.models import Note

    class Counts(WebsocketConsumer):
        def receive(self, text_data):
            Note.objects.create(text=text_data)
            self.send(text_data=str(Note.objects.count()))

    @pytest.mark.django_db
    async def test_that_fails():
        communicator = WebsocketCommunicator(Counts.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_to(text_data="x")
        assert await communicator.receive_from() == "2"

    @pytest.mark.django_db(transaction=True)
    async def test_that_passes(greenroom_server):
        assert await Note.objects.acount() == 0
        async with greenroom_server.websocket("/ws/") as client:
            client.send_text("x")
            assert await client.receive_text() == "1: x"
    """
    ini = "asyncio_mode = auto"
    assert project.pytest(tests, "-p", "no:trio", ini=ini) == 1
    assert "1 failed, 1 passed" in project.output
    assert "assert '1' == '2'" in project.output
