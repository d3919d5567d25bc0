# Processes that answer each other: several real ones, a stopped one, a dead one, strangers.

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from helpers import running

from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection import _answering as answering
from greenroom.bridges.inspection._answering import answer_others
from greenroom.bridges.inspection._directory import NoDirectory, door_of, doors, prepare
from greenroom.bridges.inspection._gather import Gathered, gather
from greenroom.bridges.inspection._identity import ProcessId, this_process
from greenroom.bridges.inspection._wire import MOST_ANSWER, Unpacker, pack

SCRIPT = Path(__file__).resolve().parent / "asked.py"
TOP = {"ask": "tree"}

Start = Callable[[], int]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "d"
    prepare(path)
    return path


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """Starts a process that answers; returns its pid."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> int:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(directory)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def pids(gathered: Gathered) -> tuple[list[int], list[int]]:
    """Who has answered, and who has not."""
    return [each.pid for each in gathered.answered], [each.pid for each in gathered.silent]


def test_all_answer(directory: Path, start: Start) -> None:
    """
    Each living process answers for itself, and one alone can be asked.
    """
    started = sorted(start() for _ in range(3))
    gathered = gather(TOP, directory, seconds=20)
    assert pids(gathered) == (started, [])
    for said in gathered.said:
        assert said.answer is not None
        assert [row["path"] for row in said.answer["rows"]] == ["/connections", "/residents"]
    assert pids(gather(TOP, directory, seconds=20, only=started[1])) == ([started[1]], [])


def test_one_that_is_stopped_is_silent(directory: Path, start: Start) -> None:
    """
    A process that stands still is named, and the others' answers are there all the same.
    """
    stuck, well = start(), start()
    os.kill(stuck, signal.SIGSTOP)
    try:
        gathered = gather(TOP, directory, seconds=2)
        assert pids(gathered) == ([well], [stuck])
        assert gathered.silent[0].silent == "no answer within 2 s"
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert pids(gather(TOP, directory, seconds=20)) == (sorted([stuck, well]), [])


def test_one_that_was_killed_is_swept_out(directory: Path, start: Start) -> None:
    """
    What a killed process has left is taken away, and a number that is used again is another one.
    """
    pid = start()
    other = door_of(directory, ProcessId("here", os.getpid(), 1))
    other.touch()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert list(directory.glob(f"{pid}-*"))
    assert pids(gather(TOP, directory)) == ([], [])
    assert list(directory.iterdir()) == []


async def test_gone(directory: Path) -> None:
    """
    GONE: with its end the socket is gone.
    """
    async with running() as server, trio.open_nursery() as nursery:
        path = await nursery.start(answer_others, Inspector(server.root), directory)
        assert [door.path for door in doors(directory)] == [path]
        assert path.stat().st_mode & 0o777 == 0o600
        nursery.cancel_scope.cancel()
    assert os.listdir(directory) == []  # noqa: PTH208


@pytest.mark.parametrize(
    "said", [b"", b"\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"x" * 9]
)
async def test_what_is_no_question(directory: Path, said: bytes) -> None:
    """
    BOUNDED: what is no question is refused, and the next one is answered.
    """
    async with running() as server, trio.open_nursery() as nursery:
        path = await nursery.start(answer_others, Inspector(server.root), directory)
        async with await trio.open_unix_socket(str(path)) as stream:
            await stream.send_all(said)
            await stream.send_eof()
            data = b"".join([part async for part in stream])
        message: Any = Unpacker(MOST_ANSWER).feed(data) if data else None
        if message is not None:
            assert message["answer"]["error"]["code"] == "bad-question"
        gathered = await trio.to_thread.run_sync(lambda: gather(TOP, directory, seconds=20))
        assert pids(gathered) == ([os.getpid()], [])
        nursery.cancel_scope.cancel()


async def test_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    OWN: who is another user is told nothing.
    """
    monkeypatch.setattr(answering, "_may_ask", lambda _: False)
    async with running() as server, trio.open_nursery() as nursery:
        await nursery.start(answer_others, Inspector(server.root), directory)
        gathered = await trio.to_thread.run_sync(lambda: gather(TOP, directory, seconds=20))
        assert [each.silent.partition(":")[0] for each in gathered.said] == [
            "it has ended meanwhile"
        ]
        nursery.cancel_scope.cancel()


def test_a_directory_of_others(tmp_path: Path) -> None:
    """
    A directory that others may enter, or a link, is refused by the setting's name.
    """
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    with pytest.raises(NoDirectory, match=r'GREENROOM\["INSPECTION_DIR"\].*chmod 700'):
        prepare(open_to_all)
    link = tmp_path / "link"
    link.symlink_to(open_to_all)
    with pytest.raises(NoDirectory, match="no directory of this user's own"):
        prepare(link)
    with pytest.raises(NoDirectory, match="too long"):
        prepare(tmp_path / ("x" * 100))


def test_a_socket_that_answers_nothing_of_ours(directory: Path) -> None:
    """
    Who says something else than an answer is silent, with what it said.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(door_of(directory, this_process())))
        listener.listen(1)

        def reply() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(pack({"hello": 1}, 100))
                peer.recv(1000)

        thread = threading.Thread(target=reply)
        thread.start()
        gathered = gather(TOP, directory, seconds=20)
        thread.join()
    assert [each.silent for each in gathered.said] == ['it said {"hello": 1}']
