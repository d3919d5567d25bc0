from greenroom.actors import LongPollConsumer


class RoomConsumer(LongPollConsumer):

    def connect(self, message):
        self.name = "Anonymous"
        self.room = self.kwargs.get("room", "lobby")
        self.join(self.room)
        self.accept()
        self.send(text="welcome")

    def receive(self, text, bytes=None):
        if text.startswith("/name "):
            self.name = text[6:]
        elif text == "/crash":
            raise RuntimeError("asked to")
        elif text == "/quit":
            self.close(4000, "you asked to")
        else:
            self.group_send(self.room, text=f"{self.name}: {text}")

    def disconnect(self, message, code, reason):
        self.group_send_others(self.room, text=f"{self.name} has left ({code})")
