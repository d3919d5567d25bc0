# An actor that holds a connection to somebody else's server. Run this file: that server is
# in it, too, and hangs up after every price.
import logging
import sys

import trio
import trio_websocket

from greenroom.bridges.asgi import Application
from greenroom.bridges.client import WebsocketClient
from greenroom.bridges.testing import serve


class Feed(WebsocketClient):
    url = "ws://127.0.0.1:8099/prices"

    async def connected(self):
        await self.send(text="subscribe LIME")

    async def receive(self, text):
        await self.group_send("market", text=text)   # to every consumer that joined it
        print("a price:", text)


async def hang_up_after_a_price(request):
    socket = await request.accept()
    await socket.get_message()
    await socket.send_message("LIME 132")
    await socket.aclose(1001, "maintenance")


async def main():
    async with trio.open_nursery() as nursery:
        prices = await nursery.start(
            trio_websocket.serve_websocket, hang_up_after_a_price, "127.0.0.1", 0, None
        )
        Feed.url = f"ws://127.0.0.1:{prices.port}/prices"
        async with serve(Application(children=[Feed])) as server:
            twice = trio.Event()
            server.root.events.subscribe(
                lambda event: (event.kind, event.epoch) == ("slot.crashed", 2) and twice.set()
            )
            await twice.wait()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("trio-websocket").setLevel(logging.ERROR)
    trio.run(main)
