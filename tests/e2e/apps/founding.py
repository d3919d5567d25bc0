# The consumer of the founding document, word for word, alone under a server.
# tests/e2e/test_founding.py compares the class with the one in the demo.

# fmt: off
from greenroom.actors import WebsocketConsumer

class ChatConsumer(WebsocketConsumer):

    def connect(self, message):
        self.username = "Anonymous"
        self.accept()
        self.send(text="[Welcome %s!]" % self.username)

    def receive(self, text, bytes=None):
        if text.startswith("/name"):
            self.username = text[5:].strip()
            self.send(text="[set your username to %s]" % self.username)
        else:
            self.send(text=self.username + ": " + text)

    def disconnect(self, message):
        pass


# fmt: on


class KeepingConsumer(ChatConsumer):
    keep = ["username"]


application = ChatConsumer.as_asgi()
keeping = KeepingConsumer.as_asgi()
