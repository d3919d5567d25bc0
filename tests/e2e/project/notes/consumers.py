import json
from typing import Any

from greenroom.actors import WebsocketConsumer

from .models import Note


class ChatConsumer(WebsocketConsumer):
    """Greets, and repeats what it is told."""

    def connect(self, message: Any) -> None:
        self.accept()
        self.send(text=f"welcome to {self.kwargs['room']}")

    def receive(self, text: str) -> None:
        self.send(text=f"you said {text}")


class NotesConsumer(WebsocketConsumer):
    """Stores each text through the ORM and answers how many there are."""

    def receive(self, text: str) -> None:
        Note.objects.create(text=text)
        self.send(text=str(Note.objects.count()))


class SeenConsumer(WebsocketConsumer):
    """Says what its scope tells of the client."""

    def connect(self, message: Any) -> None:
        self.accept()
        headers = [(name.decode(), value.decode()) for name, value in self.scope["headers"]]
        forwarded = sorted(each for each in headers if "-forwarded" in each[0])
        self.send(text=json.dumps({
            "client": self.scope["client"][0],
            "scheme": self.scope["scheme"],
            "host": dict(headers)["host"],
            "forwarded": [*forwarded, *(each for each in headers if each[0] == "forwarded")],
        }))
