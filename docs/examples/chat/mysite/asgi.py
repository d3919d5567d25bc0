import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import Greenroom, django_application   # sets Django up
from django.urls import path

application = Greenroom(
    http=django_application(),                       # views, in worker threads
    websocket=[
        path("ws/chat/<slug:room>/", "chat.consumers.ChatConsumer"),
        path("ws/market/", "market.consumers.MarketConsumer"),
        path("ws/founding/", "chat.founding.ChatConsumer", name="founding"),
    ],
    children=["market.actors.Ticker"],               # resident actors: classes, never instances
)
