# A project's asgi.py: the application, its routes and its residents.
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "user_settings")

from greenroom.bridges.django import Greenroom, django_application, path, re_path  # sets Django up
from greenroom.supervisor import ChildSpec, Restart

from consumers import AsyncChat, MixedChat
from residents import Clock, Ticker

application = Greenroom(
    http=django_application(),
    websocket=[
        path("ws/chat/<slug:room>/", "consumers.SyncChat"),
        path("ws/async/", AsyncChat),
        re_path(r"^ws/mixed/$", MixedChat.as_asgi(), name="mixed"),
    ],
    children=[
        "residents.Ticker",
        Clock,
        ChildSpec(
            actor=Ticker,
            name="slow",
            kwargs={"seconds": 60.0},
            restart=Restart.TRANSIENT,
            max_restarts=5,
            max_seconds=60,
        ),
    ],
)
