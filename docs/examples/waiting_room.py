import trio

from greenroom.actors import WebsocketConsumer, handles


class WaitingRoom(WebsocketConsumer):
    idle_seconds = 4.0
    history = None

    async def after_start(self):            # the socket is open, nobody waits for this
        self.start_soon(self.load)

    async def load(self):
        await trio.sleep(0.5)               # an answer that takes its time
        self.cast(self.ref, {"type": "loaded", "lines": ["welcome"]})

    @handles("loaded")
    async def loaded(self, message):
        self.history = message["lines"]
        self.release()                      # what was put aside comes next, in order

    async def receive(self, text):
        if self.history is None:
            self.defer()                    # not yet: put this message aside
            return
        self.history.append(text)
        await self.send(text=f"{len(self.history)}: {text}")

    async def idle(self):                   # four seconds without a message
        await self.close(4000, "gone quiet")
