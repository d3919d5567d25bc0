import trio

from greenroom.actors import WebsocketConsumer, concurrent, handles, timeout


class Search(WebsocketConsumer):
    answered = 0

    @concurrent(4)                          # up to four questions at a time
    @timeout(2.0)                           # longer is a crash, and the socket stays open
    async def receive(self, text):
        await trio.sleep(float(text))       # an index far away
        self.answered += 1
        await self.send(text=f"{text} s: found, number {self.answered}")

    @handles("page", concurrent=8, per_key="book", timeout=5.0)
    async def on_page(self, message):       # of one book in order, of several side by side
        await self.send(text=f"{message['book']}, page {message['page']}")
