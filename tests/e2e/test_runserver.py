# `manage.py runserver`, the real command in a process of its own, on a copy of a small project
# that the tests edit. Nothing waits for a time: the project's manage.py prints "polled" when the
# reloader has looked at the files, and an edit waits for that.
#
# What takes the time are starts of Python. So the tests that edit share one server, which each of
# them leaves serving.

import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest
from e2e._rude import RudeClient
from e2e._server import START_SECONDS, Server, ask, dial, in_thread
from trio_websocket import ConnectionClosed

from greenroom.bridges.hypercorn._development import DevelopmentServer

PROJECT = Path(__file__).resolve().parent / "apps" / "reloaded"
SERVES = r"Starting ASGI/Greenroom development server at http://127\.0\.0\.1:(\d+)/"


class Runserver(Server):
    """`manage.py runserver` in *folder*; a context manager."""

    def __init__(self, folder: Path, *options: str, **env: str) -> None:
        # Each start compiles what has no .pyc, whatever this process was told.
        super().__init__("", cwd=folder, env={"PYTHONDONTWRITEBYTECODE": "", **env})
        if not any(":" in option for option in options):
            options = (*options, "127.0.0.1:0")
        self._command = [sys.executable, "manage.py", "runserver", *options]
        self.folder = folder / "mysite"

    def __enter__(self) -> "Runserver":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        sys.stdout.write(self.output.replace("polled\n", ""))  # pytest shows it beside a failure

    def wait_serving(self, mark: int = 0) -> "Runserver":
        """Wait until it serves, again if since *mark*; on port 0 that is another port."""
        self.port = int(self.wait_for_line(SERVES, mark, START_SECONDS)[1])
        return self

    def edit(self, name: str, old: str, new: str) -> int:
        """Replace *old* in a file when the reloader knows how it was; return a mark."""
        for _ in range(2):  # the first may have looked at this file before it was imported
            self.wait_for_line("^polled", self.mark())
        mark = self.mark()
        file = self.folder / name
        text = file.read_text()
        assert old in text
        assert len(old) != len(new)  # by seconds and sizes Python knows that a .pyc is old
        file.write_text(text.replace(old, new))
        return mark


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the project."""
    return Path(shutil.copytree(PROJECT, tmp_path / "project"))


class Edited:
    """One with the reloader, for the tests that edit; another one behind a test that failed."""

    def __init__(self, parent: Path) -> None:
        self._folders = (parent / f"project{number}" for number in count())
        self._server: Runserver | None = None

    def __enter__(self) -> Runserver:
        if self._server is None:
            server = Runserver(Path(shutil.copytree(PROJECT, next(self._folders))))
            self._server = server.__enter__()
            server.wait_serving()
        return self._server

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.close()

    def close(self) -> None:
        """End it, if there is one."""
        if self._server is not None:
            self._server.__exit__()
            self._server = None


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edited]:
    """The shared one with the reloader; each test enters it."""
    shared = Edited(tmp_path_factory.mktemp("edited"))
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runserver]:
    """One without the reloader, for the tests that change nothing."""
    folder = tmp_path_factory.mktemp("shared") / "project"
    shutil.copytree(PROJECT, folder)
    with Runserver(folder, "--noreload") as server:
        yield server.wait_serving()


def test_a_page_and_a_static_file(shared: Runserver) -> None:
    """
    A view and a static file answer, each with Django's line.
    """
    mark = shared.mark()
    assert shared.get("/?a=%20b") == (200, b"the first page")
    assert shared.get("/static/style.css") == (200, b"body { color: green }\n")
    assert shared.get("/static/none.css")[0] == 404

    shared.wait_for_line(r'^\[\d\d/\w+/\d+ [\d:]+\] "GET /\?a=%20b HTTP/1\.1" 200 14$', mark)
    shared.wait_for_line(r'"GET /static/style\.css HTTP/1\.1" 200 22$', mark)
    shared.wait_for_line(r'"GET /static/none\.css HTTP/1\.1" 404 \d+$', mark)


async def test_a_websocket_outlives_a_crash(shared: Runserver) -> None:
    """
    A consumer answers, crashes, and answers on the same socket; its lines name the URL.
    """
    mark = shared.mark()
    async with dial(shared, "/ws/echo/") as client:
        for text in ("a", "crash", "b"):
            await client.send_message(text)
        assert [await client.get_message() for _ in range(2)] == ["first: a", "first: b"]
        assert client.closed is None

    await in_thread(shared.wait_for_line, r"\] WebSocket CONNECT /ws/echo/ \[/conn", mark)
    await in_thread(shared.wait_for_line, "ValueError: as asked", mark)
    await in_thread(
        shared.wait_for_line, r"\] WebSocket DISCONNECT /ws/echo/ (1000|1006) \[/conn", mark
    )


async def test_a_websocket_that_leads_nowhere(shared: Runserver) -> None:
    """
    A WebSocket without a route is refused, and its line says so.
    """
    mark = shared.mark()
    async with RudeClient(shared, "/ws/nowhere/") as client:
        assert await client.handshake() == 404
    await in_thread(shared.wait_for_line, r"\] WebSocket REJECT /ws/nowhere/ \[no route\]", mark)


async def test_an_edit_is_served(edited: Edited) -> None:
    """
    After an edit the new consumer serves; a WebSocket that was open got 1012.
    """
    with edited as server:
        async with dial(server, "/ws/echo/") as client:
            assert await ask(client, "a") == "first: a"
            mark = await in_thread(server.edit, "consumers.py", "first:", "second:")
            with pytest.raises(ConnectionClosed) as closed:
                await client.get_message()
            assert closed.value.reason.code == 1012
        await in_thread(server.wait_for_line, r"consumers\.py changed, reloading", mark)
        await in_thread(server.wait_serving, mark)
        async with dial(server, "/ws/echo/") as client:
            assert await ask(client, "a") == "second: a"


def test_a_syntax_error_is_survived(edited: Edited) -> None:
    """
    A file with a syntax error is told of with its place, and what mends it is served.
    """
    with edited as server:
        for broken in ("views.py", "consumers.py"):
            mark = server.edit(broken, "import", "import ((")
            server.wait_for_line(rf'{broken}", line \d', mark)
            server.wait_for_line("^SyntaxError", mark)

            mark = server.edit(broken, "import ((", "import")
            assert server.wait_serving(mark).get("/") == (200, b"the first page")


def test_a_wrong_asgi_py_is_survived(edited: Edited) -> None:
    """
    So is an asgi.py with a syntax error, with a call that then raises, or that exits.
    """
    right, wrong, exits = '"mysite.consumers.Echo"', "17", "__import__('sys').exit('no')"
    with edited as server:
        mark = server.edit("asgi.py", right, f"{right} ((")
        server.wait_for_line(r'asgi\.py", line \d', mark)
        server.wait_for_line("^SyntaxError", mark)

        mark = server.edit("asgi.py", f"{right} ((", wrong)
        server.wait_for_line(r'asgi\.py", line \d', mark)
        server.wait_for_line("^TypeError", mark)

        mark = server.edit("asgi.py", wrong, exits)
        server.wait_for_line(r"^RuntimeError: .* mysite\.asgi raised SystemExit\('no'\)", mark)

        mark = server.edit("asgi.py", exits, right)
        assert server.wait_serving(mark).get("/") == (200, b"the first page")


@pytest.mark.slow
def test_settings_that_fail_are_survived(edited: Edited) -> None:
    """
    Settings that fail at a reload are told of, and what mends them is served, more than once.
    """
    versions = ("USE_TZ = True", "USE_TZ = (", "USE_TZ = Truth")
    with edited as server:
        for right, wrong in pairwise(versions):
            mark = server.edit("settings.py", right, wrong)
            server.wait_for_line("^The settings failed", mark)

        mark = server.edit("settings.py", versions[-1], versions[0])
        assert server.wait_serving(mark).get("/") == (200, b"the first page")


@pytest.mark.slow
def test_settings_that_checks_refuse_are_survived(edited: Edited) -> None:
    """
    What is a check's error stays one at a reload, without a traceback, and can be mended.
    """
    right = 'parent / "files"]'
    thread = f'{right}; GREENROOM = {{"VIEW_THREADS": 0}}'
    asgy = f'{right}; ASGI_APPLICATION = "mysite.asgy.application"'
    with edited as server:
        start = mark = server.edit("settings.py", right, thread)
        server.wait_for_line("greenroom.E003", mark)
        mark = server.edit("settings.py", thread, asgy)
        server.wait_for_line("greenroom.E004", mark)

        mark = server.edit("settings.py", asgy, right)
        assert server.wait_serving(mark).get("/") == (200, b"the first page")
        assert "Traceback" not in server.said(start)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--noreload"]])
def test_a_port_in_use(folder: Path, options: list[str]) -> None:
    """
    A port in use is Django's one line, and status 1.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        with Runserver(folder, f"127.0.0.1:{other.getsockname()[1]}", *options) as server:
            assert server.wait_end() == 1
            assert server.output.endswith("Error: That port is already in use.\n")


def test_no_port() -> None:
    """
    A number that is no port is an OSError, for which Django has a line.
    """
    with pytest.raises(OSError, match="port must be 0-65535"):
        DevelopmentServer(("127.0.0.1", 70_000), None)


@pytest.mark.slow
def test_without_an_application_the_views_are_served(folder: Path) -> None:
    """
    Without ASGI_APPLICATION the views are served, and a line says that WebSockets are not.
    """
    with Runserver(folder, "--noreload", TEST_APPLICATION="") as server:
        assert server.wait_serving().get("/") == (200, b"the first page")
        server.wait_for_line("^ASGI_APPLICATION is not set: only views are served, no WebSockets")


@pytest.mark.slow
def test_a_wrong_application(folder: Path) -> None:
    """
    Without the reloader a wrong ASGI_APPLICATION is a check's error, and status 1.
    """
    with Runserver(folder, "--noreload", TEST_APPLICATION="mysite.asgy.application") as server:
        assert server.wait_end() == 1
        assert "(greenroom.E004) ASGI_APPLICATION 'mysite.asgy.application'" in server.output
        assert "Traceback" not in server.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to", "options"),
    [
        (signal.SIGINT, "group", []),
        (signal.SIGINT, "group", ["--noreload"]),
        (signal.SIGTERM, "master", []),
        (signal.SIGTERM, "group", []),
    ],
)
async def test_a_signal(folder: Path, number: signal.Signals, to: str, options: list[str]) -> None:
    """
    Ctrl-C, and a SIGTERM, close an open WebSocket with 1012, wait for its consumer, and end with 0.
    """
    with Runserver(folder, *options, TEST_LEAVE_SECONDS="0.4") as server:
        await in_thread(server.wait_serving)
        async with dial(server, "/ws/echo/") as client:
            assert await ask(client, "a") == "first: a"
            server.signal(number, to)
            with pytest.raises(ConnectionClosed) as closed:
                await client.get_message()
            assert closed.value.reason.code == 1012
        assert await in_thread(server.wait_end) == 0
        assert "the consumer has left" in server.output
        assert "Traceback" not in server.output
