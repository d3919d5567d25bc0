import trio

from greenroom.actors import WebsocketConsumer, handles

from .models import Entry


class GuestbookConsumer(WebsocketConsumer):

    async def connect(self):                 # on trio: costs no thread
        await self.accept()
        self.send_after(60, {"type": "guestbook.sleepy"})

    def receive(self, text):                 # in a worker thread: the ORM is at home
        entry = Entry.objects.create(text=text)
        self.send(text=f"entry {entry.pk}: {text}")

    @handles("guestbook.sleepy")
    async def on_sleepy(self, message):      # on trio again
        await self.send(text="Still there?")
        await trio.sleep(10)
        await self.send(text="Good night.")
