from django.urls import path

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom
from greenroom.supervisor import ChildSpec, current_root


class Printer(Actor):

    def __init__(self, colour):
        self.colour = colour

    async def started(self):
        self.delist("printers")                       # after a restart it is listed still
        self.enlist("printers", self.colour)

    @handles("print")
    async def print(self, message):
        return f"printed by {self.path}"


class Desk(WebsocketConsumer):

    async def receive(self, text):
        for printer in current_root().registry.members("printers"):
            if printer.value == text:
                answer = await printer.ref.call({"type": "print"}, timeout=2)
                await self.send(text=answer)
                return
        await self.send(text=f"nobody prints {text}")


application = Greenroom(
    websocket=[path("ws/", Desk)],
    children=[
        ChildSpec(actor=Printer, name="hall", kwargs={"colour": "black"}),
        ChildSpec(actor=Printer, name="cellar", kwargs={"colour": "red"}),
    ],
)
