from greenroom.actors import WebsocketConsumer


class WhoamiConsumer(WebsocketConsumer):

    def connect(self):
        self.accept()
        self.send(text=f"You are {self.user.get_username() or 'nobody I know'}.")
