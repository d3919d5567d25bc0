# A real server asked from outside what it does, while real clients make it crash and hold it up.

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from e2e._server import WAIT_SECONDS, Server, ask, dial, in_thread

from greenroom.bridges.inspection import gather


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Where the socket is; by a short path."""
    with TemporaryDirectory() as made:
        yield Path(made) / "d"


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    """One server for the whole file."""
    with Server("looked_at:application", env={"LOOKED_AT_DIR": str(directory)}) as server:
        yield server


async def asked(directory: Path, question: str, **fields: object) -> dict[str, Any]:
    """Ask the one process that there is."""
    everybody = await in_thread(lambda: gather({"ask": question, **fields}, directory, seconds=20))
    [answer] = everybody.answered
    assert "error" not in answer.answer
    return answer.answer


async def test_who_crashes_is_found(server: Server, directory: Path) -> None:
    """
    Of ten sockets the one that crashed is what "unhealthy" shows, with what it raised; and counted.
    """
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def stay(task_status: trio.TaskStatus[None]) -> None:
            async with dial(server, "/crasher") as socket:
                await ask(socket, "hello")
                task_status.started()
                await done.wait()

        for _ in range(9):
            await nursery.start(stay)
        async with dial(server, "/crasher") as socket:
            await socket.send_message("boom")
            assert await ask(socket, "still there") == "still there"
            tree = await asked(directory, "tree", unhealthy=True)
            [row] = tree["rows"]
            assert row["crash"]["exception"] == "LookupError"
            assert row["crash"]["text"] == "no such tile"
            assert (row["epoch"], row["state"], row["unwell"]) == (2, "running", "restarted")
            assert tree["node"]["below"]["unhealthy"] == 1
            room = await asked(directory, "tree", path="/connections/crasher")
            assert room["node"]["below"] == {"total": 10, "states": {"running": 10}, "unhealthy": 1}
            metrics = (await asked(directory, "metrics"))["metrics"]
            [crashes] = [each for each in metrics if each["name"] == "greenroom_crashes_total"]
            labels = {"class": "Crasher", "exception": "LookupError"}
            assert {"labels": labels, "value": 1} in crashes["samples"]
        done.set()


async def test_who_holds_a_thread_is_found(server: Server, directory: Path) -> None:
    """
    A handler that waits in its thread is named by its consumer's path and its line.
    """
    async with dial(server, "/holder") as socket:
        assert await ask(socket, "x") == "held"
        [pool] = (await asked(directory, "threads", stack=True))["pools"]
        [job] = pool["jobs"]
        assert job["path"].startswith("/connections/holder/")
        assert any("looked_at.py" in line and "in receive" in line for line in job["stack"])
        await in_thread(server.get, "/let_go")
        with trio.fail_after(WAIT_SECONDS):
            while pool["jobs"] or pool["busy"]:
                [pool] = (await asked(directory, "threads"))["pools"]
        assert (pool["busy"], pool["jobs"]) == (0, [])


async def test_how_the_process_is(server: Server, directory: Path) -> None:
    """
    A process says who it is, that it is ready, and takes samples once it was asked.
    """
    process = await asked(directory, "process")
    assert process["pid"] == server.worker_pid()
    assert process["ready"]
    assert {"python", "trio", "hypercorn", "greenroom"} <= process["versions"].keys()
    assert process["memory"]["rss"] > 10**6
    for _ in range(1000):
        samples = (await asked(directory, "process"))["samples"]
        if samples:
            break
        await trio.sleep(0.01)
    row = dict(zip(process["columns"], samples[-1], strict=True))
    assert row["rss"] > 10**6
