# Trees that are asked by threads of their own process: whatever becomes of who asks, they go on.

import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import trio
from helpers import running, settle

from greenroom.bridges.inspection._gather_async import gather_async
from greenroom.bridges.inspection._hook import inspected
from greenroom.bridges.inspection._limits import CALLS

TOP = {"ask": "tree"}


def gone(_: dict[str, Any]) -> None:
    raise trio.RunFinishedError


async def test_who_asked_has_gone(tmp_path: Path) -> None:
    """
    An answer that can't be told to who asked ends nothing, and holds no place.
    """
    async with running() as server, inspected(server.root, [tmp_path], alone=True) as tree:
        assert tree is not None
        for _ in range(2 * CALLS):
            assert tree.ask(TOP, gone)
            await trio.sleep(0)
        await settle(lambda: tree.limits.take_call())
        told: list[dict[str, Any]] = []
        assert tree.ask(TOP, told.append)
        await settle(lambda: bool(told))
        assert told[0]["node"]["path"] == "/"


async def test_too_many_who_have_gone(tmp_path: Path) -> None:
    """
    Nor does a refusal.
    """
    async with running() as server, inspected(server.root, [tmp_path], alone=True) as tree:
        assert tree is not None
        while tree.limits.take_call():
            pass
        assert tree.ask(TOP, gone)
        await trio.sleep(0.01)
        assert server.root.up


async def test_another_loop_that_has_ended(tmp_path: Path) -> None:
    """
    The loop of another thread may ask, give up and end before it is answered.
    """
    async with running() as server, inspected(server.root, [tmp_path], alone=True) as tree:
        assert tree is not None
        silent: list[int] = []

        def ask() -> None:
            gathered = trio.run(lambda: gather_async(TOP, tmp_path, seconds=0.05, local=[tree]))
            silent.append(len(gathered.silent))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()  # on the loop, which answers nobody meanwhile
        assert silent == [1]
        await trio.sleep(0.05)
        assert (await tree.answer(TOP))["node"]["state"] == "running"


def test_a_forked_child(tmp_path: Path) -> None:
    """
    A child that was forked has no tree of its own, and asks that of its parent at its socket.
    """
    code = """
        import os, sys
        from pathlib import Path
        import trio
        from greenroom.bridges.asgi import Application
        from greenroom.bridges.inspection import gather
        from greenroom.bridges.inspection._hook import inspected
        from greenroom.bridges.inspection._local import local_trees
        from greenroom.bridges.testing import serve

        async def main(folder):
            async with serve(Application()) as server, inspected(server.root, [folder]):
                assert len(local_trees()) == 1
                child = os.fork()
                if not child:
                    status = 1
                    try:
                        said = gather({"ask": "tree"}, folder, seconds=20, local=local_trees())
                        status = len(local_trees()) + (len(said.answered) != 1)
                    finally:
                        os._exit(status)
                while True:
                    pid, status = os.waitpid(child, os.WNOHANG)
                    if pid:
                        return os.waitstatus_to_exitcode(status)
                    await trio.sleep(0.01)

        sys.exit(trio.run(main, Path(sys.argv[1])))
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
