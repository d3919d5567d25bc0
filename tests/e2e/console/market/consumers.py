from greenroom.actors import WebsocketConsumer


class Desk(WebsocketConsumer):
    """Crashes when it is told to, and says how often it has lived."""

    def connect(self, message):
        self.trader = self.user.get_username()
        self.presence_track("desks", self.trader or "nobody", {"note": "on no page of the console"})
        self.accept()

    def receive(self, text):
        if text == "crash":
            raise ValueError("the desk has broken down")
        self.send(text=f"epoch {self.epoch}")
