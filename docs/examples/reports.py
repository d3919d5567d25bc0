# Consumers of HTTP: a whole answer, an answer that somebody else gives, a stream, an upload.
import hashlib

from greenroom.actors import HttpConsumer, handles


class Report(HttpConsumer):
    def handle(self, body):
        year = self.query.get("year", "")
        if not year.isdigit():
            self.respond(400, text="which year?\n")
        else:
            private = [("cache-control", "no-store")]
            self.respond(json={"year": int(year), "rows": 3}, headers=private)


class Approval(HttpConsumer):
    answer_seconds = 60

    def handle(self, body):
        self.join("approvals")
        self.send_after(10, {"type": "too.late"})

    @handles("decided")
    async def decided(self, message):
        self.respond(text=message["by"] + " says " + message["what"] + "\n")

    @handles("too.late")
    async def too_late(self, message):
        self.respond(202, text="nobody has decided yet\n")


class Export(HttpConsumer):
    async def handle(self):
        self.start(200, [("content-type", "text/csv")])
        for number in range(3):
            await self.send(f"row,{number}\n")
        self.finish()


class Upload(HttpConsumer):
    def connect(self):
        if self.headers.get("authorization") != "Bearer secret":
            self.respond(401)
        self.hash = hashlib.sha256()

    def chunk(self, data, last):
        self.hash.update(data)
        if last:
            self.respond(201, json={"sha256": self.hash.hexdigest()})

    def disconnect(self, reason):
        print("upload:", reason)
