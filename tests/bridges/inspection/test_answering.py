# A tree that answers over its socket: what it takes, from whom, and what is left of it.

import errno
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from helpers import running
from trio.testing import MockClock, wait_all_tasks_blocked

from greenroom.bridges.inspection import _answering as answering
from greenroom.bridges.inspection._answering import AGAIN_SECONDS, answer_through_all
from greenroom.bridges.inspection._directory import doors
from greenroom.bridges.inspection._door import HEARTBEAT_SECONDS
from greenroom.bridges.inspection._gather_async import gather_async
from greenroom.bridges.inspection._hook import inspected
from greenroom.bridges.inspection._limits import AT_ONCE, WAITING
from greenroom.bridges.inspection._local import LocalTree, local_trees
from greenroom.bridges.inspection._wire import MOST_ANSWER, MOST_QUESTION, Unpacker, pack

TOP = {"ask": "tree"}


@pytest.fixture
def clock() -> MockClock:
    """
    Time that stands still until a test lets it jump.
    """
    return MockClock()


@asynccontextmanager
async def answering_in(*directories: Path) -> AsyncIterator[LocalTree]:
    """A tree that answers in the first of *directories* that can be used."""
    async with running() as server, inspected(server.root, directories) as tree:
        assert tree is not None
        yield tree


async def said_by(path: Path, said: bytes) -> Any:
    """Say *said* at the socket *path*, and nothing more; return what comes back."""
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(said)
        data = b"".join([part async for part in stream])
    return Unpacker(MOST_ANSWER).feed(data) if data else None


def only_door(directory: Path) -> Path:
    (door,) = doors(directory)
    return door.path


async def door_of(directory: Path) -> Path:
    """The socket, as soon as there is one; it is bound in a thread, which takes a moment."""
    for _ in range(1000):
        if found := list(doors(directory)):
            return found[0].path
        await trio.sleep(1)
    raise AssertionError("no socket was made")


async def test_gone(directory: Path) -> None:
    """
    GONE: while it runs there is one socket, this user's alone; with its end it is gone.
    """
    async with answering_in(directory) as tree:
        path = only_door(directory)
        assert tree.door is not None
        assert tree.door.path == path
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.process for each in local_trees()] == [tree.process]
    assert await trio.to_thread.run_sync(os.listdir, directory) == []
    assert local_trees() == []


async def test_each_tree_has_a_socket(directory: Path) -> None:
    """
    Two trees of one process answer each for itself, under ids of their own.
    """
    async with answering_in(directory) as one, answering_in(directory) as other:
        gathered = await gather_async(TOP, directory, seconds=20)
        assert [each.id for each in gathered.answered] == [one.process.id, other.process.id]
        assert one.process.pid == other.process.pid
        second = await gather_async(TOP, directory, seconds=20, only=other.process.id)
        assert [each.id for each in second.answered] == [other.process.id]


@pytest.mark.parametrize(
    "said", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"x" * 9, b"\x00\x00\x00\x01{"]
)
async def test_what_is_no_question(directory: Path, said: bytes) -> None:
    """
    BOUNDED: what is no question is refused, and the next one is answered.
    """
    async with answering_in(directory):
        message = await said_by(only_door(directory), said)
        assert message["answer"]["error"]["code"] == "bad-question"
        assert len((await gather_async(TOP, directory, seconds=20)).answered) == 1


async def test_bounded(directory: Path, clock: MockClock) -> None:
    """
    BOUNDED: who connects and asks nothing is let go after a while.
    """
    async with answering_in(directory):
        async with await trio.open_unix_socket(str(only_door(directory))) as stream:
            await stream.send_all(b"\x00\x00")
            began = trio.current_time()
            clock.autojump_threshold = 0.05
            assert await stream.receive_some() == b""
            assert trio.current_time() - began >= answering.ASK_SECONDS


async def test_so_many_at_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    BOUNDED: so many questions are answered at once, and those that wait for something to
    happen keep no other from being answered; too many of them are refused.
    """
    under_way: list[str] = []
    most: list[int] = []
    release = trio.Event()

    async def answer(self: object, question: dict[str, Any]) -> dict[str, Any]:
        under_way.append(str(question["ask"]))
        most.append(under_way.count("short"))
        if question["ask"] == "long":
            await release.wait()
        else:
            await trio.sleep(0)
        under_way.remove(str(question["ask"]))
        return {"done": True}

    monkeypatch.setattr("greenroom.bridges.inspection._inspector.Inspector.answer", answer)
    async with answering_in(directory) as tree, trio.open_nursery() as nursery:
        for _ in range(WAITING):
            nursery.start_soon(tree.answer, {"ask": "long", "wait": 20})
        await wait_all_tasks_blocked()
        refused = await tree.answer({"ask": "long", "wait": 20})
        assert refused["error"]["code"] == "refused"
        async with trio.open_nursery() as asking:
            for _ in range(3 * AT_ONCE):
                asking.start_soon(tree.answer, {"ask": "short"})
        assert max(most) == AT_ONCE
        gathered = await gather_async({"ask": "short"}, directory, seconds=20)
        assert [each.answer for each in gathered.answers] == [{"done": True}]
        release.set()


async def test_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    OWN: who is another user is not read from, and told nothing.
    """
    async with answering_in(directory):
        monkeypatch.setattr("greenroom.bridges.inspection._answering.is_own", lambda _: False)
        assert await said_by(only_door(directory), b"") is None
        gathered = await gather_async(TOP, directory, seconds=20)
        assert [each.silent[:22] for each in gathered.silent] == ["it has ended meanwhile"]


async def test_left(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    LEFT: when whoever asked has left, nobody looks for the answer any longer.
    """
    looking, given_up = trio.Event(), trio.Event()

    async def answer(self: object, question: dict[str, Any]) -> dict[str, Any]:
        looking.set()
        try:
            await trio.sleep_forever()
        finally:
            given_up.set()
        raise AssertionError

    monkeypatch.setattr("greenroom.bridges.inspection._inspector.Inspector.answer", answer)
    async with answering_in(directory):
        async with await trio.open_unix_socket(str(only_door(directory))) as stream:
            await stream.send_all(pack(TOP, MOST_QUESTION))
            await looking.wait()
        with trio.fail_after(20):
            await given_up.wait()


async def test_an_answer_that_is_too_long(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An answer that is too long to be sent, or is no JSON, is an error that says so.
    """
    answers: list[dict[str, Any]] = [{"text": "x" * MOST_ANSWER}, {"text": object()}]

    async def answer(self: object, question: object) -> dict[str, Any]:
        await trio.sleep(0)
        return answers.pop(0)

    monkeypatch.setattr("greenroom.bridges.inspection._inspector.Inspector.answer", answer)
    async with answering_in(directory):
        texts: list[str] = []
        for _ in range(2):
            (said,) = (await gather_async(TOP, directory, seconds=20)).answers
            assert said.error is not None
            texts.append(said.error["text"])
    assert "the answer is too long" in texts[0]
    assert "the answer is no JSON" in texts[1]


async def test_a_socket_that_was_taken_away_is_made_again(
    directory: Path, clock: MockClock
) -> None:
    """
    Where somebody tidies the directory up, the tree can be asked again a little later.
    """
    async with answering_in(directory):
        before = only_door(directory)
        before.unlink()
        os.rmdir(directory)  # noqa: PTH106
        assert (await gather_async(TOP, directory)).asked == 0
        clock.autojump_threshold = 0.01
        assert await door_of(directory) == before
        assert len((await gather_async(TOP, directory, seconds=20)).answered) == 1


async def test_it_shows_that_it_lives(directory: Path, clock: MockClock) -> None:
    """
    The time of its socket is that of its last heartbeat.
    """
    async with answering_in(directory):
        (door,) = doors(directory)
        os.utime(door.path, (1, 1))
        assert door.heartbeat == 1
        clock.autojump_threshold = 0.01
        await trio.sleep(HEARTBEAT_SECONDS + 1)
        assert door.heartbeat is not None
        assert door.heartbeat > 1


async def test_no_directory_is_one_warning(
    short_path: Path, clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A directory that can't be used is told once; the tree serves, and answers when it can be.
    """
    open_to_all = short_path / "open"
    open_to_all.mkdir(mode=0o755)
    with caplog.at_level(logging.WARNING, logger="greenroom.inspection"):
        async with answering_in(open_to_all) as tree:
            assert "chmod 700" in tree.why_no_door
            clock.autojump_threshold = 0.01
            await trio.sleep(3 * AGAIN_SECONDS)
            assert len(caplog.messages) == 1
            assert 'GREENROOM["INSPECTION_DIR"]' in caplog.messages[0]
            assert (await tree.answer(TOP))["node"]["path"] == "/"
            open_to_all.chmod(0o700)
            await door_of(open_to_all)
            assert len((await gather_async(TOP, open_to_all, seconds=20)).answered) == 1


async def test_the_next_directory_is_taken(directory: Path, short_path: Path) -> None:
    """
    The first directory that can be used is the one.
    """
    file = short_path / "file"
    file.touch()
    async with answering_in(file, directory):
        assert len(list(doors(directory))) == 1


async def test_a_crash_ends_nothing(
    directory: Path,
    clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    If who answers crashes, that is logged, the tree goes on, and he is tried again.
    """
    over = trio.Event()
    crashes = [RuntimeError("a fault of ours"), OSError(errno.EIO, "the disk")]

    async def accept(*_: object) -> None:
        await trio.sleep(0)
        if crashes:
            raise crashes.pop(0)
        over.set()
        await trio.sleep_forever()

    monkeypatch.setattr(answering, "_accept", accept)
    async with answering_in(directory) as tree:
        clock.autojump_threshold = 0.01
        await over.wait()
        await door_of(directory)
        assert (await tree.answer(TOP))["node"]["path"] == "/"
    told = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(each) for each in told] == ["a fault of ours", "[Errno 5] the disk"]


async def test_descriptors_may_be_short(
    directory: Path, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A process that has no descriptors left answers when it has some again.
    """
    with trio.socket.socket() as one:
        kind: Any = type(one)
    real = kind.accept
    over = trio.Event()
    failures = [OSError(errno.EMFILE, "too many open files")]

    async def accept(self: Any) -> Any:
        await trio.sleep(0)
        if failures:
            raise failures.pop()
        over.set()
        return await real(self)

    async with running() as server, trio.open_nursery() as nursery:
        tree = LocalTree(server.root, nursery)
        monkeypatch.setattr(kind, "accept", accept)
        await nursery.start(answer_through_all, tree, [directory])
        clock.autojump_threshold = 0.01
        await over.wait()
        assert len((await gather_async(TOP, directory, seconds=20)).answered) == 1
        nursery.cancel_scope.cancel()


async def test_meant(directory: Path) -> None:
    """
    MEANT: a question for a process with the same numbers on another machine is not answered here.
    """
    async with answering_in(directory) as tree:
        await door_of(directory)
        mine = tree.process.id
        theirs = f"elsewhere:{mine.partition(':')[2]}"
        for only, is_answered in ((mine, True), (theirs, False)):
            gathered = await gather_async({"ask": "process"}, directory, seconds=20, only=only)
            (said,) = gathered.answers
            assert said.process == tree.process
            assert (said.error is None) == is_answered
        assert said.error
        assert said.error["code"] == "not-found"
