import json

from greenroom.actors import WebsocketConsumer


class ChatConsumer(WebsocketConsumer):
    def receive(self, text):
        message = json.loads(text)["message"]
        self.send(text=json.dumps({"message": message}))
