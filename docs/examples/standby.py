from django.urls import path

from greenroom.actors import Actor, AlreadyRegistered, Down, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom
from greenroom.supervisor import ChildSpec


class Standby(Actor):
    """One of several; the one that leads has the name."""

    async def started(self):                          # in each incarnation
        self.lead_or_watch()

    def lead_or_watch(self):
        try:
            self.register("leader")
        except AlreadyRegistered:
            leader = self.whereis("leader")
            if leader != self.ref:                    # else it led before its restart, and does
                self.monitor(leader)

    @handles(Down)
    async def on_down(self, down):                    # the name is free by now
        self.lead_or_watch()


class Operator(WebsocketConsumer):

    async def receive(self, text):
        leader = self.whereis("leader")
        if text == "stop":
            self.monitor(leader)
            leader.stop("by the operator")
        else:
            await self.send(text=f"{leader.path} leads")

    @handles(Down)
    async def on_down(self, down):
        await self.send(text=f"{down.path} {down.kind}: {down.reason}")


application = Greenroom(
    websocket=[path("ws/", Operator)],
    children=[ChildSpec(actor=Standby, name="north"), ChildSpec(actor=Standby, name="south")],
)
