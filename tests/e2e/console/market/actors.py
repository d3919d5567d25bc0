from django.conf import settings

from greenroom.actors import Actor, handles


class Share(Actor):
    """One of many; it begins its work as soon as it lives."""

    def __init__(self, symbol):
        self.symbol = symbol

    async def started(self):
        self.cast(self.ref, {"type": "begin"})

    @handles("begin")
    async def begin(self):
        seconds = settings.MARKET_SECONDS[self.symbol]
        self.send_after(float(seconds) * 3600, {"type": "begin"})
