# A resident actor: it starts with the server and lives as long as it does.
from collections import deque

import msgspec

from greenroom.actors import Actor, Request, handles

from .walk import Walk

SECONDS = 1.0  # between two prices
REMEMBERED = 60  # prices of each company that a newcomer is shown


class Tick(msgspec.Struct, frozen=True):
    """The ticker's own clock."""


class GetHistory(msgspec.Struct, Request[list[dict[str, float]]], frozen=True):
    """Ask for the latest prices, the oldest first: `await ref.call(GetHistory())`."""


class Ticker(Actor):
    """Moves the market and shows it to everyone in the group "market"."""

    # What a crash does not take: the next incarnation goes on with the same market.
    keep = ["walk", "remembered"]

    def __init__(self):
        """Runs anew in every incarnation; what is kept is put in afterwards."""
        self.walk = Walk(seed=42)
        self.remembered = deque((self.walk.step() for _ in range(REMEMBERED)), REMEMBERED)

    async def started(self):
        """The place for timers, which end with the incarnation that set them."""
        self.send_every(SECONDS, Tick())

    @handles(Tick)
    async def tick(self, message: Tick):
        prices = self.walk.step()
        self.remembered.append(prices)
        frame = {"type": "prices", "prices": prices, "epoch": self.epoch}
        await self.group_send("market", text=msgspec.json.encode(frame).decode())

    @handles(GetHistory)
    async def history(self, message: GetHistory) -> list[dict[str, float]]:
        return list(self.remembered)

    @handles("market.crash")
    async def crash(self, message):
        raise RuntimeError("somebody typed /crash ticker")
