# Processes that are asked together: several real ones, one that is stopped, one that spins, a dead
# one, and sockets behind which something else is.

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from helpers import running

from greenroom.bridges.inspection import Gathered, ProcessId, gather
from greenroom.bridges.inspection._directory import door_name
from greenroom.bridges.inspection._gather import MOST_PROCESSES
from greenroom.bridges.inspection._gather_async import gather_async
from greenroom.bridges.inspection._hook import inspected
from greenroom.bridges.inspection._identity import this_process
from greenroom.bridges.inspection._inspector import QUESTIONS
from greenroom.bridges.inspection._local import local_trees
from greenroom.bridges.inspection._wire import MOST_ANSWER, BadMessage, pack

from .asking import open_files

TOP = {"ask": "tree"}

Start = Callable[..., int]
Ask = Callable[..., Gathered]


def on_trio(question: Any, directories: Any, **options: Any) -> Gathered:
    """Ask as `gather` does, on trio."""
    return trio.run(lambda: gather_async(question, directories, **options))


@pytest.fixture(params=[gather, on_trio], ids=["thread", "trio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """
    Both ways of asking.
    """
    return request.param


def pids(gathered: Gathered) -> tuple[list[int], list[int]]:
    """Who has answered, and who has not."""
    return [each.pid for each in gathered.answered], [each.pid for each in gathered.silent]


@contextmanager
def impostor(directory: Path, reply: Callable[[socket.socket], object]) -> Iterator[None]:
    """A socket like ours at which *reply* is what becomes of each connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / door_name(this_process())))
        listener.listen(4)
        over = threading.Event()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                reply(peer)
                over.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_all_answer(directory: Path, start: Start, ask: Ask) -> None:
    """
    Each living process answers for itself, and one alone can be asked.
    """
    started = sorted(start() for _ in range(2))
    gathered = ask(TOP, directory, seconds=20)
    assert pids(gathered) == (started, [])
    assert gathered.asked == 2
    for said in gathered.answers:
        assert said.answer is not None
        assert [row["path"] for row in said.answer["rows"]] == ["/connections", "/residents"]
    chosen = gathered.answers[1].id
    assert pids(ask(TOP, directory, seconds=20, only=chosen)) == ([started[1]], [])
    assert ask(TOP, directory, only=f"{chosen}0").asked == 0


def test_many_trees_of_one_process(directory: Path, start: Start, ask: Ask) -> None:
    """
    NAMED: each tree of a process that has several is one, by an id of its own.
    """
    pid = start("many")
    gathered = ask(TOP, directory, seconds=20)
    assert pids(gathered) == ([pid] * 3, [])
    ids = [each.id for each in gathered.answers]
    assert len(set(ids)) == 3
    for each in ids:
        assert [one.id for one in ask(TOP, directory, seconds=20, only=each).answered] == [each]


def test_one_that_is_stopped(directory: Path, start: Start, ask: Ask) -> None:
    """
    DEADLINE, NAMED: a process that is stopped is silent, with what the kernel says of it and its
    last heartbeat; the others' answers are there.
    """
    stuck, well = start(), start()
    os.kill(stuck, signal.SIGSTOP)
    try:
        gathered = ask(TOP, directory, seconds=3)  # in which the other one has to answer
        assert pids(gathered) == ([well], [stuck])
        (silent,) = gathered.silent
        assert silent.silent == "no answer within 3 s; the process is stopped (T)"
        assert silent.kernel == {"state": "stopped (T)", "cpu": 0.0}
        assert silent.heartbeat is not None
        assert silent.heartbeat >= silent.process.started
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert pids(ask(TOP, directory, seconds=20)) == (sorted([stuck, well]), [])


def test_one_that_spins(directory: Path, start: Start) -> None:
    """
    A process whose loop is held up by code that never waits is silent, and seen to spin.
    """
    pid = start("spin")
    gathered = gather(TOP, directory, seconds=2)
    (silent,) = gathered.silent
    assert silent.pid == pid
    assert silent.kernel["state"] == "running"
    assert "cpu" in silent.kernel


def test_swept(directory: Path, start: Start, ask: Ask) -> None:
    """
    SWEPT: what a killed process has left is taken away, and nothing else.
    """
    pid, other = start(), start()
    (directory / "notes.txt").touch()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert list(directory.glob(f"{pid}-*"))
    assert pids(ask(TOP, directory, seconds=20)) == ([other], [])
    assert not list(directory.glob(f"{pid}-*"))
    assert (directory / "notes.txt").exists()


def test_a_full_queue(directory: Path, ask: Ask) -> None:
    """
    DEADLINE: a process that takes no more questions is named as such, by the deadline.
    """
    path = directory / door_name(this_process())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        waiting: list[socket.socket] = []
        try:
            while True:
                one = socket.socket(socket.AF_UNIX)
                waiting.append(one)
                one.setblocking(False)
                one.connect(str(path))
        except BlockingIOError:
            pass
        gathered = ask(TOP, directory, seconds=0.3)
        assert "it takes no more questions" in gathered.silent[0].silent
        for each in waiting:
            each.close()


def test_a_full_queue_may_empty(directory: Path) -> None:
    """
    A process whose queue was full is asked as soon as it takes questions again.
    """
    path = directory / door_name(this_process())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(str(path))

        def serve() -> None:
            for _ in range(2):
                peer, _ = listener.accept()
                with peer:
                    if peer.recv(4096):
                        peer.sendall(pack({"answer": {"well": True}}, 100))

        with ThreadPoolExecutor() as pool:
            asked = pool.submit(gather, TOP, directory, seconds=20)
            served = pool.submit(serve)
            first.close()
            assert asked.result().answers[0].answer == {"well": True}
            served.result()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (pack({"hello": 1}, 100), "it said what is no answer: {'hello': 1}"),
        (pack({"answer": [1]}, 100), "it said what is no answer: {'answer': [1]}"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it said what can't be read"),
        ((MOST_ANSWER + 10**6).to_bytes(4, "big"), "it said what can't be read"),
        (pack({"answer": {"text": "x" * 50}}, 100)[:40], "only 40 bytes of it"),
    ],
)
def test_what_is_no_answer(directory: Path, ask: Ask, said: bytes, text: str) -> None:
    """
    NAMED: who says something else, too much, or only a part of it, is silent, and it is said why.
    """
    # Only who leaves the rest out is waited for to the end.
    seconds = 3 if text.startswith("only") else 20
    with impostor(directory, lambda peer: peer.sendall(said)):
        gathered = ask(TOP, directory, seconds=seconds)
    assert text in gathered.silent[0].silent


def test_a_slow_answer(directory: Path, ask: Ask) -> None:
    """
    An answer that comes byte by byte is put together.
    """

    def slowly(peer: socket.socket) -> None:
        for byte in pack({"answer": {"well": True}}, 100):
            peer.sendall(bytes([byte]))

    with impostor(directory, slowly):
        gathered = ask(TOP, directory, seconds=20)
    assert gathered.answers[0].answer == {"well": True}


def test_one_that_ends_meanwhile(directory: Path, ask: Ask) -> None:
    """
    A process that ends while it is asked is silent at once, not at the deadline.
    """
    with impostor(directory, lambda peer: peer.shutdown(socket.SHUT_RDWR)):
        gathered = ask(TOP, directory, seconds=600)
    assert "it has ended meanwhile" in gathered.silent[0].silent


def test_thousands_of_questions(directory: Path, start: Start) -> None:
    """
    Thousands of questions of many threads are all answered, and leave no descriptor open.
    """
    pid = start()
    before = open_files()
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(gather, TOP, directory, seconds=60) for _ in range(2000)]
        assert all(pids(each.result()) == ([pid], []) for each in futures)
    assert open_files() - before == set()
    assert len(os.listdir(f"/proc/{pid}/fd")) < 100  # noqa: PTH208


def test_processes_come_and_go(directory: Path, start: Start) -> None:
    """
    Processes that come and go while others are asked disturb nobody's answer.
    """
    well = start()
    over = threading.Event()
    wrong: list[Gathered] = []

    def keep_asking() -> None:
        while not over.is_set():
            gathered = gather(TOP, directory, seconds=60)
            if well not in pids(gathered)[0]:
                wrong.append(gathered)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        for _ in range(3):
            os.kill(start(), signal.SIGKILL)
    finally:
        over.set()
        thread.join()
    assert wrong == []
    assert well in pids(gather(TOP, directory, seconds=20))[0]


def test_too_many_processes(directory: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    So many processes are asked at once, and that not all were is said.
    """
    monkeypatch.setattr("greenroom.bridges.inspection._gather.MOST_PROCESSES", 2)
    assert MOST_PROCESSES > 100
    for number in range(3):
        (directory / door_name(ProcessId("here", number + 1, 1))).touch()
    gathered = ask(TOP, directory, seconds=1)
    assert gathered.trouble == "only 2 of 3 processes were asked"


def test_another_users_directory(tmp_path: Path, ask: Ask) -> None:
    """
    Nobody is asked in a directory that others may enter; it is said why.
    """
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    gathered = ask(TOP, open_to_all)
    assert gathered.asked == 0
    assert "may be entered by others: chmod 700" in gathered.trouble
    assert ask(TOP, tmp_path / "nowhere").trouble == ""


def test_somebody_elses_process(directory: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A socket behind which another user's process is, is not asked.
    """
    monkeypatch.setattr("greenroom.bridges.inspection._call.is_own", lambda _: False)
    heard: list[bytes] = []
    with impostor(directory, lambda peer: heard.append(peer.recv(100))):
        gathered = ask(TOP, directory, seconds=20)
    assert gathered.silent[0].silent == "somebody else's process listens there"
    assert heard == [b""]


def test_a_question_that_is_too_long(directory: Path, ask: Ask) -> None:
    """
    A question that is too long is refused to whoever asks it.
    """
    with pytest.raises(BadMessage, match="where 65536 may be sent"):
        ask({"ask": "x" * 70_000}, directory)


async def test_trees_of_this_process(directory: Path, start: Start) -> None:
    """
    NAMED: a tree of the asking process is asked once, without its socket, beside the others.
    """
    pid = await trio.to_thread.run_sync(start)
    async with running() as server, inspected(server.root, [directory]) as tree:
        assert tree is not None
        local = local_trees()
        for gathered in (
            await trio.to_thread.run_sync(lambda: gather(TOP, directory, seconds=20, local=local)),
            await gather_async(TOP, directory, seconds=20, local=local),
        ):
            assert sorted(pids(gathered)[0]) == sorted([pid, os.getpid()])
        tree.door = None
        only = tree.process.id
        alone = await gather_async(TOP, [], seconds=20, only=only, local=local)
        assert [each.id for each in alone.answered] == [only]


async def test_a_tree_of_this_process_that_is_held_up(directory: Path) -> None:
    """
    NAMED: a tree of the asking process whose loop is held up is silent, with the line it is in.
    """
    async with running() as server, inspected(server.root, [directory], alone=True):
        local = local_trees()
        over = threading.Event()
        result: list[Gathered] = []

        def ask_it() -> None:
            result.append(gather(TOP, [], seconds=0.3, local=local))
            over.set()

        thread = threading.Thread(target=ask_it)
        thread.start()
        assert over.wait(20)  # here the loop stands
        thread.join()
        await trio.sleep(0)
    (silent,) = result[0].silent
    assert "its loop is in" in silent.silent
    assert "threading.py" in str(silent.kernel["at"])


async def test_a_tree_that_has_ended() -> None:
    """
    A tree that ends while it is asked is answered for, and not waited for.
    """
    async with running() as server, inspected(server.root, []) as tree:
        assert tree is not None
    said: list[dict[str, Any]] = []
    assert tree.ask(TOP, said.append)
    await trio.sleep(0.01)
    assert said == [{"error": {"code": "failed", "text": "the tree has ended"}}]


async def test_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    LEFT: a tree of the asking process stops looking when the thread that asked has given up.
    """
    looks, left = trio.Event(), trio.Event()

    async def slow(root: object, fields: object) -> None:
        looks.set()
        try:
            await trio.sleep_forever()
        finally:
            left.set()

    monkeypatch.setitem(QUESTIONS, "process", slow)
    async with running() as server, inspected(server.root, [], alone=True):
        local = local_trees()
        while not looks.is_set():  # a busy machine may not have come to it
            asked = await trio.to_thread.run_sync(
                lambda: gather({"ask": "process"}, [], seconds=0.05, local=local)
            )
            assert len(asked.silent) == 1
        with trio.fail_after(20):
            await left.wait()
