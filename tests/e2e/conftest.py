# Real servers in processes of their own: `hypercorn -k trio` on a free port.

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from e2e._postgres import Postgres, running_postgres
from e2e._proxy import Proxy
from e2e._server import Server

HERE = Path(__file__).resolve().parent
PROJECT = HERE / "project"
SECONDS = 60.0
"""
How long a server or a command may take for anything; it is never waited out in a passing test.

Where the machine is busy the start of Python and Django alone has taken half of it.
"""

STAFF = ("staff", "secret-staff")
MEMBER = ("member", "secret-member")


class Served:
    """
    A server process, its address and what it printed.

    Args:
        command: What to run; it listens on port 0 and says where.
        folder: Where to run it.
        env: Environment variables beside those of the tests.
    """

    def __init__(self, command: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that its workers can be killed with it
        )
        self.port = 0
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """All it has printed so far, stdout and stderr."""
        return "".join(self._lines)

    def wait_for(self, text: str) -> str:
        """Wait until a line with *text* was printed, and return that line."""
        found: list[str] = []

        def there() -> bool:
            found.extend(line for line in self._lines if text in line)
            return bool(found) or self._over

        with self._news:
            self._news.wait_for(there, SECONDS)
        assert found, f"{text!r} was not printed. Printed was:\n{self.output}"
        return found[0]

    def wait_ready(self) -> None:
        """Wait until it serves; hypercorn says so when the lifespan's startup is complete."""
        line = self.wait_for("Running on http://")
        self.port = int(line.split("http://127.0.0.1:")[1].split(" ")[0].rstrip("/"))

    def wait_ended(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return status

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """End it as a service manager does; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.wait_ended()

    def kill(self) -> None:
        """End it and its workers at once, whatever they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stdout
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


def hypercorn(application: str, *options: str, worker: str = "trio") -> list[str]:
    """Return the command line of the plain server on a free port."""
    return [
        *(sys.executable, "-m", "hypercorn", "-k", worker),
        *("--bind", "127.0.0.1:0", *options, application),
    ]


@contextmanager
def serve_project(
    application: str = "mysite.asgi:application",
    *options: str,
    folder: Path = PROJECT,
    command: Sequence[str] = (),
    ready: bool = True,
    **env: str,
) -> Iterator[Served]:
    """
    Serve a project in a process of its own; killed at the end.

    Args:
        application: For hypercorn: module and variable.
        options: More options for hypercorn.
        folder: The folder of the project.
        command: Run this instead of hypercorn; it must print "Running on http://...".
        ready: Wait until it serves; False for those that are to fail.
        env: Environment variables for it.
    """
    served = Served(command or hypercorn(application, *options), folder, env)
    try:
        if ready:
            served.wait_ready()
        yield served
    finally:
        served.kill()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A SQLite file with the project's tables, a member of staff and a plain member.
    """
    file = tmp_path_factory.mktemp("project") / "migrated.sqlite3"
    script = (
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser({STAFF[0]!r}, password={STAFF[1]!r})\n"
        f"User.objects.create_user({MEMBER[0]!r}, password={MEMBER[1]!r})\n"
    )
    for arguments in (["migrate", "--verbosity=0"], ["shell", "-c", script]):
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env={**os.environ, "GREENROOM_TEST_DATABASE": str(file)},
            check=True,
            capture_output=True,
        )
    return file


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """
    A throw-away PostgreSQL, shared by all tests of this process; each makes its own database.
    """
    with running_postgres() as cluster:
        yield cluster


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def serve(migrated: Path, tmp_path: Path) -> Serve:
    """
    `serve_project` with a fresh database: ``with serve() as server: ...``.
    """
    database = tmp_path / "db.sqlite3"
    shutil.copy(migrated, database)

    def start(*args: str, **kwargs: object) -> AbstractContextManager[Served]:
        kwargs.setdefault("GREENROOM_TEST_DATABASE", str(database))
        return serve_project(*args, **kwargs)  # type: ignore[arg-type]

    return start


@pytest.fixture
def settled(server: Server) -> None:
    """
    For files whose tests share a `Server`: let the connections of the test before end.
    """
    server.settle()


@pytest.fixture(scope="module")
def server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """
    One server with the project, shared by the tests of a module that do not end it.
    """
    database = tmp_path_factory.mktemp("served") / "db.sqlite3"
    shutil.copy(migrated, database)
    with serve_project(GREENROOM_TEST_DATABASE=str(database)) as served:
        yield served


@pytest.fixture(scope="module")
def changes() -> dict[str, str]:
    """
    For files that do not take the printed configurations as they are: what is replaced in them.
    """
    return {}


@pytest.fixture(scope="module", params=["straight", "nginx", "haproxy"])
def door(
    request: pytest.FixtureRequest,
    server: Any,
    changes: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """
    What a client connects to: the module's `server`, or a proxy in front of it.
    """
    if request.param == "straight":
        yield server
        return
    proxy = Proxy(request.param, server, tmp_path_factory.mktemp(request.param), changes)
    try:
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The data of the project in `parity`.
    """
    from e2e._parity import prepare

    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def pair(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """
    The project in `parity`, served by Greenroom and by Django's own handler.
    """
    from e2e._parity import served_pair

    with served_pair(prepared, tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """
    Waits for something that another process does and does not tell of.
    """

    def wait(condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < give_up, "it did not happen"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """
    One headless Chromium.
    """
    from e2e._browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """
    The project in `studio` on each of the databases.
    """
    from e2e._studio import studio_on

    with studio_on(request, tmp_path_factory.mktemp("studio")) as served:
        yield served


@pytest.fixture
def visit(browser: Any, served: Any) -> Iterator[Any]:
    """
    Open a path of what the file has `served` as a visitor of one's own.
    """
    from e2e._browser import visits

    with visits(browser, served.address) as visit:
        yield visit
