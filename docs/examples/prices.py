# An event stream that clients may leave and come back to, and the actor that feeds it.
from greenroom.actors import Actor, EventHistory, EventStreamConsumer, handles

HISTORY = EventHistory(events=100)


class Prices(EventStreamConsumer):
    history = HISTORY

    def connect(self, last_event_id, missed):
        if self.query.get("token") == "expired":
            self.respond(204)
            return
        self.join("prices")
        self.accept(retry=2000)
        if missed or not last_event_id:
            self.send(json={"btc": 100}, event="snapshot")

    def disconnect(self, reason):
        print("prices:", reason)


class Market(Actor):
    def started(self):
        self.price = 100
        self.send_every(1, {"type": "tick"})

    @handles("tick")
    async def tick(self, message):
        self.price += 1
        self.group_send("prices", bytes=HISTORY.add(json={"btc": self.price}, event="price"))
