from greenroom.actors import WebsocketConsumer


class Echo(WebsocketConsumer):
    """Says again what it is told, or crashes."""

    def receive(self, text: str) -> None:
        """Answer."""
        if text == "crash":
            raise ValueError("as asked")
        self.send(text=f"first: {text}")
