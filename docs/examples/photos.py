# Work that is done once, in a pool of tasks. Run this file and read the log.
import logging
import sys

import trio

from greenroom.actors import Actor, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import serve, virtual_clock
from greenroom.supervisor import TaskDone, TaskFailed, TaskPoolSpec, current_root

tasks = TaskPoolSpec(name="tasks", max_tasks=20, shutdown_seconds=5)


def shrink(photo):
    if not photo.endswith(".jpg"):
        raise ValueError(f"{photo} is no photo")
    return f"small-{photo}"


class Album(Actor):

    @handles("photo")
    async def photo(self, message):
        pool = current_root().task_pool("/residents/tasks")
        pool.start(shrink, message["name"], reply_to=self.ref)

    @handles(TaskDone)
    async def done(self, message):
        print("there is", message.value)

    @handles(TaskFailed)
    async def failed(self, message):
        print(f"{message.path} {message.kind}: {message.error}")


async def main():
    async with serve(Application(children=[tasks, Album])) as server:
        album = server.root.find("/residents/album")
        for name in ("ann.jpg", "bob.txt"):
            album.cast({"type": "photo", "name": name})
            await trio.sleep(1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    trio.run(main, clock=virtual_clock())
