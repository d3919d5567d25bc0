import trio

from greenroom.actors import WebsocketConsumer, handles


class Clock(WebsocketConsumer):

    async def started(self):                          # for each new object, not only the first
        self.seconds = 0
        self.send_every(1.0, {"type": "clock.tick"})
        self.start_soon(self.watch)

    @handles("clock.tick")
    async def tick(self, message):
        self.seconds += 1
        await self.send(text=f"{self.seconds} s, epoch {self.epoch}")

    async def watch(self):                            # runs beside the handlers
        await trio.sleep(2.5)
        if self.epoch == 1:
            raise OSError("the mainspring broke")
