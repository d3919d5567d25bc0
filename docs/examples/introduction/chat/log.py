from greenroom.actors import WebsocketConsumer

from .models import Log


class LogConsumer(WebsocketConsumer):

    def connect(self, message):
        Log.objects.create(
            type="connected",
            client=self.scope["client"],
        )
        self.accept()
        self.send(text="visit %s" % Log.objects.count())
