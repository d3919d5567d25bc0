import json

from greenroom.actors import WebsocketConsumer


class ChatConsumer(WebsocketConsumer):
    def connect(self):
        self.room = f"chat.{self.kwargs['room_name']}"
        self.join(self.room)
        self.accept()

    def receive(self, text):
        message = json.loads(text)["message"]
        self.group_send(self.room, text=json.dumps({"message": message}))
