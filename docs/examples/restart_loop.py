# A consumer that fails on every message. Run this file and read the log.
import logging
import sys

import trio

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.testing import serve, virtual_clock


class Chat(WebsocketConsumer):

    async def receive(self, text):
        raise ValueError("no room")


async def main():
    async with serve(Chat.as_asgi()) as server, server.websocket("/") as client:
        for _ in range(5):
            client.send_text("hello")
        closed = await client.closed()
        lost = server.root.dead_letters.recent()
    print("the client:", closed)
    print("never handled:", *(letter.summary for letter in lost))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    trio.run(main, clock=virtual_clock())
