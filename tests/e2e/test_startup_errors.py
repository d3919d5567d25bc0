# What a mistake looks like under the real command: one line that says what to do, and no
# traceback. The exit status of the plain command is hypercorn's own (0 with one worker,
# whatever that worker ended with); that of `manage.py serve` is 1.

import os
import socket
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parent / "project"

HEAD = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
from greenroom.bridges.django import Greenroom, django_application
from django.urls import path
"""

Start = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def start(serve: Any, tmp_path: Path) -> Start:
    """
    Starts an asgi.py that can't work; returns the exit status and the lines printed.
    """

    def run(script: str, *options: str, worker: str = "trio", **env: str) -> tuple[int, list[str]]:
        (tmp_path / "broken_asgi.py").write_text(dedent(script))
        if worker != "trio":
            options = (*options, "-k", worker)
        search = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
        with serve(
            "broken_asgi:application",
            *options,
            folder=tmp_path,
            ready=False,
            **{"PYTHONPATH": search, **env},
        ) as server:
            status = server.wait_ended()
            return status, server.output.splitlines()

    return run


def only_line(result: tuple[int, list[str]]) -> str:
    _, lines = result
    assert len(lines) == 1, "\n".join(lines)
    prefix, _, message = lines[0].partition("greenroom: ")
    assert prefix == ""
    return message


def test_no_settings(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without DJANGO_SETTINGS_MODULE the line says what to write, and where.
    """
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    line = only_line(start("from greenroom.bridges.django import Greenroom"))

    assert line.startswith("DJANGO_SETTINGS_MODULE is not set. Put os.environ.setdefault(")


def test_settings_that_do_not_exist(start: Start) -> None:
    """
    A settings module that is not there is named.
    """
    line = only_line(start(HEAD, DJANGO_SETTINGS_MODULE="mysite.setings"))

    assert "DJANGO_SETTINGS_MODULE is 'mysite.setings', but there is no module" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('children=["no.such.Thing"]', "children[0]: 'no.such.Thing' can't be imported"),
        (
            "children=[42]",
            "children[0]: a child must be an Actor subclass, a ChildSpec or a SupervisorSpec."
            " Got: 42",
        ),
        ("children=[Counter()]", "children[0]: write Counter, not Counter()."),
        ('websocket=[path("ws/", Chat())]', "the route 'ws/': write Chat, not Chat()."),
        ('websocket=[path("ws/", "notes.consumers.Chat")]', "has no 'Chat'"),
        ("http=get_asgi_application()", "Write http=django_application()"),
        ("view_treads=3", "Greenroom() has no option 'view_treads'. Did you mean 'view_threads'?"),
    ],
)
def test_bad_arguments(start: Start, arguments: str, message: str) -> None:
    """
    A bad argument of Greenroom() is one line that names it.
    """
    script = f"""{HEAD}
from django.core.asgi import get_asgi_application
from notes.actors import Counter
from notes.consumers import ChatConsumer as OurChat
class Chat(OurChat): pass
application = Greenroom({arguments})
"""

    assert message in only_line(start(script))


def test_a_bad_setting(start: Start) -> None:
    """
    An unknown name in the setting GREENROOM is one line.
    """
    line = only_line(
        start(f"{HEAD}\napplication = Greenroom()", GREENROOM_TEST_OPTIONS='{"VIEW_TREADS": 1}')
    )

    assert line == "GREENROOM has no option 'VIEW_TREADS'. Did you mean 'VIEW_THREADS'?"


@pytest.mark.parametrize("application", ["Greenroom()", "django_application()"])
def test_another_loop(start: Start, application: str) -> None:
    """
    Under another loop than trio the server ends and says which option to use.
    """
    _, lines = start(f"{HEAD}\napplication = {application}", worker="asyncio")

    assert "Traceback" not in "\n".join(lines)
    assert "hypercorn -k trio" in lines[-1]


def test_a_resident_that_does_not_start(start: Start) -> None:
    """
    A resident whose first start fails ends the server with its path and its error.
    """
    script = f"""{HEAD}
from greenroom.actors import Actor
class Broken(Actor):
    async def started(self):
        raise LookupError("no such market")
application = Greenroom(children=[Broken])
"""
    _, lines = start(script)

    last = lines[-1]
    assert last.startswith("greenroom: /residents/broken failed to start")
    assert "no such market" in last


@pytest.mark.parametrize("workers", ["0", "2"])
def test_any_number_of_workers(start: Start, workers: str) -> None:
    """
    In hypercorn's own process, and in each of several workers, the line is the same.
    """
    status, lines = start(f"{HEAD}\napplication = Greenroom(children=[42])", "--workers", workers)

    assert status == 1 or workers == "2"
    assert {line.partition(". Got")[0] for line in lines} == {
        "greenroom: children[0]: a child must be an Actor subclass, a ChildSpec or a SupervisorSpec"
    }


def test_an_error_of_the_project_keeps_its_traceback(start: Start) -> None:
    """
    What the project's own code raises is not ours to hide.
    """
    _, lines = start(f"{HEAD}\nraise LookupError('in asgi.py')")

    assert lines[-1] == "LookupError: in asgi.py"


def test_models_imported_first_are_djangos_own_error(start: Start) -> None:
    """
    Models imported before Greenroom fail before any code of ours can run: Django says so.

    Behind any import of Greenroom they work, and under `manage.py serve`: see below.
    """
    _, lines = start(
        f"from notes.models import Note\n{HEAD}", DJANGO_SETTINGS_MODULE="mysite.settings"
    )

    assert lines[-1] == "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet."


def test_consumers_imported_first_find_django_set_up(serve: Any, tmp_path: Path) -> None:
    """
    Consumers that import models may stand above Greenroom's bridge in asgi.py, as sorted
    imports put them: the first import of Greenroom below hypercorn sets Django up.
    """
    (tmp_path / "sorted_asgi.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\n'
        "from notes_early import Early\n"
        "from greenroom.bridges.django import Greenroom, django_application\n"
        "from django.urls import path\n"
        'application = Greenroom(http=django_application(), websocket=[path("ws/", Early)])\n'
    )
    (tmp_path / "notes_early.py").write_text(
        "from greenroom.actors import WebsocketConsumer\n"
        "from notes.models import Note\n"
        "class Early(WebsocketConsumer):\n    model = Note\n"
    )
    with serve("sorted_asgi:application", PYTHONPATH=str(tmp_path)) as server:
        server.wait_ready()
        assert server.stop() == 0
        assert "Traceback" not in server.output


def manage(serve: Any, *arguments: str, **options: Any) -> Any:
    import sys

    command = [sys.executable, "manage.py", "serve", *arguments]
    return serve(command=command, ready=False, **options)


def test_serve_serves(serve: Any) -> None:
    """
    `manage.py serve` serves the project and ends with status 0 at SIGTERM.
    """
    with manage(serve, "--bind", "127.0.0.1:0") as server:
        server.wait_ready()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert server.stop() == 0
        assert "Traceback" not in server.output


def test_serve_with_workers(serve: Any) -> None:
    """
    `manage.py serve --workers 2` serves with two processes.
    """
    with manage(serve, "--bind", "127.0.0.1:0", "--workers", "2") as server:
        server.wait_ready()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert server.stop() == 0


def test_serve_says_who_has_the_port(serve: Any) -> None:
    """
    A port in use is one line: whose it is, and what else can be done.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with manage(serve, "--bind", f"127.0.0.1:{port}") as server:
            assert server.wait_ended() == 1
            (line,) = server.output.splitlines()

    assert line.startswith(f"CommandError: 127.0.0.1:{port} is in use")
    assert f"Stop that program, or choose another port: --bind :{port + 1}." in line
    if Path("/proc/net/tcp").exists():
        assert f"by process {os.getpid()} (" in line


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        ("nonsense:port", "'nonsense:port' is no address"),
        ("127.0.0.1:99999", "is no address"),
        ("192.0.2.1:8000", "can't be used"),
    ],
)
def test_serve_refuses_bad_addresses(serve: Any, bind: str, message: str) -> None:
    """
    An address that can't be listened on is one line.
    """
    with manage(serve, "--bind", bind) as server:
        assert server.wait_ended() == 1
        (line,) = server.output.splitlines()

    assert line.startswith("CommandError: ")
    assert message in line


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("None", 'ASGI_APPLICATION = "mysite.asgi.application"'),
        ("'mysite.nowhere.application'", "there is no module 'mysite.nowhere'"),
        ("'mysite.asgi.aplication'", "has no 'aplication'. Did you mean 'application'?"),
        ("'mysite.settings.STATIC_URL'", "is no application. Got: 'static/'"),
        ("'broken_asgi.application'", "children[0]: a child must be"),
    ],
)
def test_serve_needs_an_application(serve: Any, tmp_path: Path, setting: str, message: str) -> None:
    """
    Without a good ASGI_APPLICATION the command says in one line what is missing.
    """
    (tmp_path / "other_settings.py").write_text(
        f"from mysite.settings import *\nASGI_APPLICATION = {setting}\n"
    )
    (tmp_path / "broken_asgi.py").write_text(f"{HEAD}\napplication = Greenroom(children=[42])")
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": search, "DJANGO_SETTINGS_MODULE": "other_settings"}
    with manage(serve, **env) as server:
        assert server.wait_ended() == 1
        (line,) = server.output.splitlines()

    assert line.startswith("CommandError: ")
    assert message in line


def test_serve_forgives_models_that_are_imported_first(serve: Any, tmp_path: Path) -> None:
    """
    An asgi.py whose first line imports models works under `serve`: Django is set up by then.
    """
    (tmp_path / "other_settings.py").write_text(
        "from mysite.settings import *\nASGI_APPLICATION = 'early_asgi.application'\n"
    )
    (tmp_path / "early_asgi.py").write_text(
        f"from notes.models import Note\n{HEAD}\napplication = Greenroom(http=django_application())"
    )
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": search, "DJANGO_SETTINGS_MODULE": "other_settings"}
    for workers in ("1", "2"):
        with manage(serve, "--bind", "127.0.0.1:0", "--workers", workers, **env) as server:
            server.wait_ready()
            assert server.stop() == 0
