import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import Greenroom, django_application   # sets Django up
from django.urls import path

application = Greenroom(
    http=django_application(),                       # views, in worker threads
    websocket=[path("ws/chat/<slug:room>/", "chat.consumers.ChatConsumer")],
    children=["market.actors.Ticker"],
)
