import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.urls import path
from rooms import Blocking, Job, Room

from greenroom.bridges.django import Greenroom, django_application

application = Greenroom(http=django_application(), websocket=[path("room", Room.as_asgi())])


async def workers(scope, receive, send):
    """What a ChannelNameRouter does."""
    consumer = {"jobs": Job, "blocking": Blocking}[scope["channel"]]
    await consumer.as_asgi()(scope, receive, send)
