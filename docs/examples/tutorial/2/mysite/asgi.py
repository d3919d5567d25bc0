import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

from django.urls import path

from greenroom.bridges.django import Greenroom, django_application  # sets Django up

application = Greenroom(
    http=django_application(),
    websocket=[
        path("ws/chat/<slug:room_name>/", "chat.consumers.ChatConsumer"),
    ],
)
