import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "market.settings")

from django.conf import settings
from django.urls import path

from greenroom.bridges.django import Greenroom, django_application
from greenroom.supervisor import ChildSpec, SupervisorSpec

from market.actors import Share

application = Greenroom(
    http=django_application(),
    websocket=[path("ws/desk/", "market.consumers.Desk")],
    children=[
        SupervisorSpec(
            name="market",
            budget="child",
            children=[
                ChildSpec(actor=Share, name=name, kwargs={"symbol": name}, max_restarts=None)
                for name in settings.MARKET_SECONDS
            ],
        )
    ],
)
