# Processes that answer, and a directory in which they do.

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from greenroom.bridges.inspection._directory import prepare

SCRIPT = Path(__file__).resolve().parent / "asked.py"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """
    A folder with a short path, as that of a socket must be.
    """
    with TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture
def directory(short_path: Path) -> Path:
    """
    Where sockets are.
    """
    path = short_path / "d"
    prepare(path)
    return path


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., int]]:
    """
    Starts a process that answers; returns its pid.
    """
    started: list[subprocess.Popen[str]] = []

    def begin(*wishes: str) -> int:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(directory), *wishes],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield begin
    for process in started:
        process.kill()
        process.communicate()
