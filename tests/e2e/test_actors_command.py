# `manage.py actors` where there is no terminal: against a real server with two workers.

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e._market import Market, market, served_market

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """
    The project served by two workers, in each of which one resident is parked.
    """
    with served_market(tmp_path_factory.mktemp("market")) as (made, _):
        yield made


def test_the_tree_is_printed_once(busy: Market) -> None:
    """
    Where stdout is no terminal the tree of both processes is printed as plain text.
    """
    done = busy.run()

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 processes")
    assert [line.split(" ")[1] for line in lines if line.startswith("pid ")] == [
        str(pid) for pid in sorted(busy.pids())
    ]
    feeds = [line for line in lines if "feed  Feed  ‖ parked" in line]
    assert len(feeds) == 2
    assert all("crashed ValueError" in line and "no such room" in line for line in feeds)


def test_nothing_raw_reaches_the_terminal(busy: Market) -> None:
    """
    The text of an exception with escape sequences in it is printed escaped, as text and as JSON.
    """
    for arguments in ([], ["--unhealthy"], ["--json"]):
        printed = busy.run(*arguments, text=False).stdout
        assert b"no such room" in printed
        assert b"\x1b" not in printed
        assert b"\x07" not in printed


def test_as_json(busy: Market) -> None:
    """
    With --json each process is one line, which a script can read.
    """
    done = busy.run("--json", "--path", "/residents")

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(line["process"]["pid"] for line in lines) == sorted(busy.pids())
    for line in lines:
        assert [row["path"] for row in line["rows"]] == [
            "/residents", "/residents/ticker", "/residents/feed",
        ]  # fmt: skip
        assert line["rows"][2]["crash"]["exception"] == "ValueError"


def test_unhealthy_is_an_exit_code(busy: Market) -> None:
    """
    With --unhealthy only what is unhealthy is printed, and the exit code is 3.
    """
    done = busy.run("--once", "--unhealthy")

    assert done.returncode == 3
    assert "/residents/feed" in done.stdout
    assert "ticker" not in done.stdout
    assert done.stderr.startswith("CommandError: unhealthy: 2 places")


def test_a_search_of_one_process(busy: Market) -> None:
    """
    --search and --process say what is shown, and of which process.
    """
    pid = busy.pids()[0]
    done = busy.run("--search", "tick", "--process", str(pid))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("/residents/ticker") == 1
    assert "feed  Feed" not in done.stdout
    assert f"pid {pid} " in done.stdout


def test_mistakes_are_told_in_a_line(busy: Market) -> None:
    """
    A path or a process that is not there, or a wrong option, is one line and the exit code 2.
    """
    for arguments, said in (
        (["--path", "/residents/nobody"], "/residents/nobody"),
        (["--process", "1"], "--process must be one of"),
        (["--limit", "0"], "--limit must be from 1"),
        (["--path", "residents"], "--path must begin with a slash"),
    ):
        done = busy.run(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert done.stderr.count("\n") == 1
        assert said in done.stderr


def test_a_reader_that_leaves(busy: Market) -> None:
    """
    `manage.py actors | head -1` ends without a word.
    """
    script = f"set -o pipefail; {' '.join(busy.command('--limit', '500'))} | head -c 1"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=busy.folder,
        env={**os.environ, **busy.env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stderr == ""


def test_an_encoding_without_signs(busy: Market) -> None:
    """
    Where only ASCII can be printed, signs and lines have stand-ins.
    """
    done = busy.run(PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "|- connections" in done.stdout
    assert done.stdout.isascii()


def test_without_rich(busy: Market, tmp_path: Path) -> None:
    """
    Text and JSON need no rich.
    """
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('none here', name='rich')\n")
    path = os.pathsep.join([str(tmp_path), str(busy.folder)])
    for arguments in (["--once"], ["--json"]):
        done = busy.run(*arguments, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        assert "feed" in done.stdout


def in_half_a_second(
    busy: Market, said: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """Run it until the worker that was not stopped is quick enough to have it *said*."""

    def run() -> "subprocess.CompletedProcess[str] | None":
        done = busy.run(*arguments, "--timeout", "0.5")
        return done if said in done.stdout else None

    found: subprocess.CompletedProcess[str] = busy.until(said, run)
    return found


def test_a_stopped_worker_is_silent(busy: Market) -> None:
    """
    A worker that was stopped with SIGSTOP is named as silent, and the other is shown.
    """
    stopped = busy.pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        text = in_half_a_second(busy, "1 silent")
        lines = in_half_a_second(busy, '"rows"', "--json")
        sought = in_half_a_second(busy, "1 silent", "--unhealthy", "--search", "tick")
    finally:
        os.kill(stopped, signal.SIGCONT)

    assert text.returncode == 0, text.stderr
    assert "✗ 1 silent" in text.stdout.splitlines()[0]
    (silent,) = [line for line in text.stdout.splitlines() if f"pid {stopped} " in line]
    assert "✗ SILENT" in silent
    assert text.stdout.count("ticker") == 1
    found = {each["process"]["pid"]: each for each in map(json.loads, lines.stdout.splitlines())}
    assert found[stopped]["silent"]
    assert "rows" not in found[stopped]
    assert sought.returncode == 3, "a silent process is unhealthy"


def test_nobody_answers(tmp_path: Path) -> None:
    """
    Without a server it says what to check, and where it looked; the exit code is 1.
    """
    with market(tmp_path) as made:
        done = made.run()

        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("CommandError: nobody answers. Does a server")
        assert str(made.sockets) in done.stderr
        assert "mysite.settings" in done.stderr
