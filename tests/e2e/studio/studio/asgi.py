import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

from django.urls import path

from greenroom.bridges.django import Greenroom, django_application

application = Greenroom(
    http=django_application(),
    websocket=[path("ws/visits/", "works.consumers.VisitsConsumer")],
)
