# A process with a small tree that answers what others ask it: python asked.py DIRECTORY [WISH]
#
# WISH is what is wrong with it: "spin" holds its loop up, "many" has several trees, "fork" has a
# child that lives until its standard input ends.

import os
import sys
import time
from pathlib import Path

import trio

from greenroom.actors import Actor
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.inspection import inspected
from greenroom.supervisor import Root


class Greeter(Actor):
    pass


async def tree(directory: Path, *, task_status: trio.TaskStatus[None]) -> None:
    root = Root(LocalEngine(), children=[Greeter])
    async with inspected(root, [directory]), trio.open_nursery() as nursery:
        await nursery.start(root.run)
        task_status.started()
        await trio.sleep_forever()


async def main() -> None:
    directory, wish = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    async with trio.open_nursery() as nursery:
        for _ in range(3 if wish == "many" else 1):
            await nursery.start(tree, directory)
        if wish == "fork" and os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        if wish == "spin":
            until = time.monotonic() + 60
            while time.monotonic() < until:
                pass
        await trio.sleep_forever()


trio.run(main)
