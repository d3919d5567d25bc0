import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.urls import path
from rooms import Blocking, Job, Room

from greenroom.bridges.channels.routing import (
    ChannelNameRouter,
    ProtocolTypeRouter,
)
from greenroom.bridges.django import Greenroom, django_application

application = Greenroom(http=django_application(), websocket=[path("room", Room.as_asgi())])

workers = ProtocolTypeRouter(
    {"channel": ChannelNameRouter({"jobs": Job.as_asgi(), "blocking": Blocking.as_asgi()})}
)
no_channels = ProtocolTypeRouter({"http": django_application()})
