# Three actors of which each needs the one before. Run this file and read the log.
import logging
import sys

import trio

from greenroom.actors import Actor, handles
from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import serve, virtual_clock
from greenroom.supervisor import SupervisorSpec


class Feed(Actor):

    @handles("tick")
    async def tick(self, message):
        raise ConnectionError("the exchange has hung up")


class Book(Actor):

    async def stopped(self, reason):
        print("the book closes:", reason)

    async def restarted(self, reason):
        print("the book is new:", reason)


class Clock(Actor):
    pass


market = SupervisorSpec(
    name="market",
    strategy="rest_for_one",
    children=[Clock, Feed, Book],
    max_restarts=5,
    max_seconds=60.0,
)


async def main():
    async with serve(Application(children=[market])) as server:
        server.root.find("/residents/market/feed").cast({"type": "tick"})
        await trio.sleep(1)
        children = server.root.supervisor("/residents/market").children()
    print({child.name: child.epoch for child in children})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    trio.run(main, clock=virtual_clock())
