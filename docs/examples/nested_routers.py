from django.urls import path

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.django import Greenroom, UrlRouter


class Room(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=f"{self.kwargs}: {text}")


class Stamped:
    """A middleware, as anybody may write it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app({**scope, "stamp": "seen"}, receive, send)


shop = UrlRouter([path("room/<int:room>/", Room)])

application = Greenroom(websocket=[path("ws/<slug:site>/", Stamped(shop))])
