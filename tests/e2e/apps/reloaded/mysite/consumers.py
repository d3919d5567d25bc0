import os
import time

from greenroom.actors import WebsocketConsumer


class Echo(WebsocketConsumer):
    """Says again what it is told, or crashes."""

    def receive(self, text: str) -> None:
        """Answer."""
        if text == "crash":
            raise ValueError("as asked")
        self.send(text=f"first: {text}")

    def disconnect(self, code: int) -> None:
        """Take the time that a test asks for."""
        if seconds := os.environ.get("TEST_LEAVE_SECONDS"):
            time.sleep(float(seconds))
            print("the consumer has left", flush=True)
