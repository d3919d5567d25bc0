import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from greenroom.bridges.django import Greenroom, django_application   # sets Django up
from django.urls import path

application = Greenroom(
    http=django_application(),                       # views, in worker threads
    websocket=[
        path("ws/chat/", "chat.consumers.ChatConsumer"),
        path("ws/log/", "chat.log.LogConsumer"),
        path("ws/ping/", "chat.ping.PingConsumer"),
        path("ws/guestbook/", "chat.guestbook.GuestbookConsumer"),
        path("ws/rooms/<slug:room>/", "chat.rooms.RoomConsumer"),
        path("ws/whoami/", "chat.whoami.WhoamiConsumer"),
    ],
    children=["chat.greeter.Greeter"],               # resident actors
)
