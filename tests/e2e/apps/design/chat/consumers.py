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
