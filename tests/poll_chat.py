# A chat for tests of long-polling, and what its clients post.

from typing import Any

from greenroom.actors import LongPollConsumer, handles

ended: list[tuple[int, str]] = []
"""What `disconnect` was called with; the tests' conftest empties it."""


class Chat(LongPollConsumer):
    async def connect(self):
        self.name = "nobody"
        await self.accept(headers=[("X-Room", "blue")])
        await self.join("room")

    async def receive(self, text, bytes):
        if bytes is not None:
            await self.send(bytes=bytes)
        elif text == "boom":
            raise RuntimeError("boom")
        elif text == "tick":
            self.send_after(30.0, {"type": "tick"})
        elif text == "bye":
            await self.send(text="last words")
            await self.close(4000, "enough")
        elif text.startswith("many "):
            for number in range(int(text[5:])):
                self.send(text=str(number))
        else:
            await self.send(text=f"{self.name} {self.epoch}: {text}")

    @handles("tick")
    async def tick(self):
        await self.send(text="tick")

    async def disconnect(self, code, reason):
        ended.append((code, reason))


class InThread(LongPollConsumer):
    def connect(self):
        self.accept()

    def receive(self, text):
        self.send(text=text)
        self.group_send("room", text=f"from a thread: {text}")


class Dropping(Chat):
    on_window_full = "drop_oldest"
    window_messages = 4


class Small(Chat):
    window_messages = 4


def posted(*messages: tuple[int, str]) -> dict[str, Any]:
    """Return the body of a POST with *messages*."""
    return {"messages": [{"seq": number, "text": text} for number, text in messages]}
