from greenroom.actors import WebsocketConsumer, handles

from chat.models import Entry


class Busy(WebsocketConsumer):

    async def receive(self, text):                  # on trio, a thousand times a second
        if text.startswith("!"):
            await self.cast(self.ref, {"type": "entry.save", "text": text[1:]})

    @handles("entry.save")
    def save(self, message):                        # in a worker thread, now and then
        entry = Entry.objects.create(text=message["text"])
        self.send(text=f"saved as {entry.pk}")
