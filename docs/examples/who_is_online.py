# Who is in a room: the list when its page opens, then each change.
import msgspec

from greenroom.actors import JsonWebsocketConsumer, PresenceDiff, handles, receives


class Status(msgspec.Struct, tag="status"):
    text: str


class RoomConsumer(JsonWebsocketConsumer):
    keep = ["name", "topic"]

    async def connect(self):
        user = await self.load_user()
        if not user.is_authenticated:
            await self.deny(403)
            return
        self.name, self.topic = user.get_username(), f"room.{self.kwargs['room']}"
        await self.accept()
        present = self.presence_watch(self.topic)
        await self.tell(PresenceDiff(self.topic, joined=present, whole=True))
        self.presence_track(self.topic, self.name, {"status": "here"})

    @handles(PresenceDiff)
    async def tell(self, diff):
        await self.send_json({"type": "presence", **diff.as_dict()})

    @receives(Status)
    async def status(self, content):
        self.presence_update(self.topic, self.name, {"status": content.text[:50]})
