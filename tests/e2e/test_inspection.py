# Four real workers of which one stands still, however they were started, and who asks them from
# outside; and the live feed over all of them.

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from e2e.conftest import PROJECT, SECONDS, Served

from greenroom.bridges.inspection import Gathered, gather

pytestmark = pytest.mark.slow

TOP = {"ask": "tree"}
WORKERS = 4
ASK = (
    "import json; from greenroom.bridges.django.console._ask import ask;"
    "print(json.dumps(ask({'ask': 'tree'}, seconds=20).as_dict()))"
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """
    Where the sockets are; by a short path, since that of a socket must be.
    """
    with TemporaryDirectory() as made:
        yield Path(made) / "d"


def by_hypercorn(serve: Any, **env: str) -> Any:
    return serve("mysite.asgi:application", "--workers", str(WORKERS), **env)


def by_serve(serve: Any, **env: str) -> Any:
    command = [sys.executable, "manage.py", "serve", "--bind", "127.0.0.1:0"]
    return serve(command=[*command, "--workers", str(WORKERS)], **env)


def all_there(
    ask: Callable[[], Gathered], server: Served, number: int, within: float = SECONDS
) -> Gathered:
    """
    Ask until *number* processes have answered, all of them *within* so many seconds.

    That they take longer may happen twice: somebody else has the machine, then.
    """
    until, late = time.monotonic() + SECONDS, 0
    while len((gathered := ask()).answered) != number or gathered.seconds >= within:
        late += gathered.seconds >= within
        assert late <= 2, f"{gathered}"
        assert time.monotonic() < until, f"{gathered}\n{server.output}"
        time.sleep(0.05)  # the last worker takes its time to start where the machine is busy
    return gathered


@pytest.mark.parametrize("start", [by_hypercorn, by_serve])
def test_four_workers_of_which_one_is_stopped(
    serve: Any, directory: Path, start: Callable[..., Any]
) -> None:
    """
    Of four workers one is stopped: within two seconds the others have answered, and it is named
    with its pid and with what the kernel says of it.
    """
    options = json.dumps({"INSPECTION_DIR": str(directory)})
    with start(serve, GREENROOM_TEST_OPTIONS=options) as server:
        server.wait_ready()

        def ask() -> Gathered:
            return gather(TOP, directory, seconds=1)

        everybody = all_there(ask, server, WORKERS)
        stuck = everybody.answers[1].pid
        os.kill(stuck, signal.SIGSTOP)
        try:
            # Where the machine is busy one of the others may have no second for its answer.
            gathered = all_there(ask, server, WORKERS - 1, within=2)  # that is what is promised
            assert [each.pid for each in gathered.silent] == [stuck]
            assert "stopped (T)" in gathered.silent[0].silent
        finally:
            os.kill(stuck, signal.SIGCONT)
        all_there(ask, server, WORKERS)
        server.stop()
    assert list(directory.iterdir()) == []


def test_a_command_finds_the_server(serve: Any, migrated: Path) -> None:
    """
    Another process of the project, that serves nothing, finds the workers without any setting.
    """
    with serve("mysite.asgi:application", "--workers", "2") as server:
        said: dict[str, Any] = {}
        for _ in range(20):
            done = subprocess.run(
                [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK],
                cwd=PROJECT,
                env={**os.environ, "GREENROOM_TEST_DATABASE": str(migrated)},
                capture_output=True,
                text=True,
                check=True,
                timeout=SECONDS,
            )
            said = json.loads(done.stdout)
            if said["answered"] == 2:
                break
        assert said["answered"] == said["asked"] == 2, server.output


def test_switched_off(serve: Any, directory: Path) -> None:
    """
    With INSPECTION off no socket is made, and who asks is told.
    """
    options = json.dumps({"INSPECTION": False, "INSPECTION_DIR": str(directory)})
    with serve(GREENROOM_TEST_OPTIONS=options):
        assert not directory.exists()
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK],
            cwd=PROJECT,
            env={**os.environ, "GREENROOM_TEST_OPTIONS": options},
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
    assert 'GREENROOM["INSPECTION"] is False' in json.loads(done.stdout)["trouble"]


def test_a_directory_that_cant_be_used(serve: Any, directory: Path) -> None:
    """
    A directory that others may enter is one warning that says what to do; the server serves.
    """
    directory.mkdir(mode=0o755)
    options = json.dumps({"INSPECTION_DIR": str(directory)})
    with serve(GREENROOM_TEST_OPTIONS=options) as server:
        line = server.wait_for("no other process can look into this tree")
        assert "chmod 700" in line
        assert 'GREENROOM["INSPECTION_DIR"]' in line
        assert server.stop() == 0
        assert server.output.count("no other process can look") == 1
        assert "Traceback" not in server.output
