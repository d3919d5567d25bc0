import json

import trio
from django.test import SimpleTestCase

from greenroom.bridges.testing import serve, virtual_clock
from mysite.asgi import application

from .actors import GetHistory
from .walk import COMPANIES, Walk


class WalkTests(SimpleTestCase):
    def test_the_same_seed_makes_the_same_market(self):
        first, second = Walk(seed=1), Walk(seed=1)
        self.assertEqual([first.step() for _ in range(9)], [second.step() for _ in range(9)])


class TickerTests(SimpleTestCase):
    def test_prices_go_on_through_a_crash(self):
        async def main():
            async with serve(application) as server, server.websocket("/ws/market/") as socket:
                ticker = server.root.find("/residents/ticker")
                before = json.loads(await socket.receive_text())
                ticker.cast({"type": "market.crash"})
                after = json.loads(await socket.receive_text())

                self.assertEqual([before["epoch"], after["epoch"]], [1, 2])
                self.assertEqual(set(after["prices"]), set(COMPANIES))
                history = await ticker.call(GetHistory())
                self.assertEqual(history[-2:], [before["prices"], after["prices"]])

        trio.run(main, clock=virtual_clock())  # a second between two prices takes no time
