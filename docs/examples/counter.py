import msgspec
from django.urls import path

from greenroom.actors import Actor, CallFailed, Request, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom


class Add(msgspec.Struct, frozen=True):
    """Nobody waits for what becomes of it."""

    amount: int


class Share(msgspec.Struct, Request[float], frozen=True):
    """Is answered, with a float: type checkers know."""

    people: int


class Counter(Actor):
    keep = ["total"]

    def __init__(self):
        self.total = 0

    @handles(Add)
    async def add(self, message: Add):
        self.total += message.amount

    @handles(Share)
    async def share(self, message: Share) -> float:
        return self.total / message.people


class Guest(WebsocketConsumer):

    async def receive(self, text):
        counter = self.find("/residents/counter")
        if text.startswith("+"):
            counter.cast(Add(int(text)))
            return
        try:
            share = await counter.call(Share(int(text)), timeout=2)
        except CallFailed as error:
            await self.send(text=f"no answer: {error.problem}")
        else:
            await self.send(text=f"{share:.2f} for each of {text}")


application = Greenroom(websocket=[path("ws/", Guest)], children=[Counter])
