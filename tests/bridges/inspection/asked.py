# A process with a small tree that answers what others ask it: python asked.py DIRECTORY

import sys
from pathlib import Path

import trio

from greenroom.actors import Actor
from greenroom.bridges.engines import LocalEngine
from greenroom.bridges.inspection import Inspector
from greenroom.bridges.inspection._answering import answer_others
from greenroom.supervisor import Root


class Greeter(Actor):
    pass


async def main() -> None:
    root = Root(LocalEngine(), children=[Greeter])
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        await nursery.start(answer_others, Inspector(root), Path(sys.argv[1]))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await trio.sleep_forever()


trio.run(main)
