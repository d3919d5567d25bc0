# Members' sockets: by their session, by a token, behind routers and middleware.

import os
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "members.settings")

from greenroom.bridges.django import Greenroom, UrlRouter, django_application, path  # isort: skip

from django.contrib.auth import get_user_model
from django.core.management import call_command

from greenroom.actors import WebsocketConsumer
from greenroom.bridges.asgi import TokenAuthentication
from greenroom.bridges.channels.auth import AuthMiddlewareStack
from greenroom.bridges.channels.routing import URLRouter

call_command("migrate", verbosity=0)
for name in ("ada", "bob"):
    if not get_user_model().objects.filter(username=name).exists():
        get_user_model().objects.create_user(name, password="secret")


class Who(WebsocketConsumer):
    revalidate_seconds = None

    def receive(self, text):
        if text == "see":
            self.session["seen"] = "on a socket"
        elif text == "out":
            self.logout()
        self.send(text=str(self.user))


class Watched(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=str(await self.load_user()))


class Asleep(WebsocketConsumer):
    async def receive(self, text):
        await self.send(text=text)


class Entry(WebsocketConsumer):
    def connect(self):
        self.session["seen"] = "at the handshake"
        self.accept()


class Offered(WebsocketConsumer):
    async def connect(self):
        offered = self.scope["subprotocols"]
        await self.accept(subprotocol=offered[0] if offered else None)

    def receive(self, text):
        self.send(text=f"{self.user} {self.kwargs}")


def by_token(token: str, scope: Mapping[str, Any]) -> Any:
    return get_user_model().objects.filter(username=token.removeprefix("token-of-")).first()


def guarded(**ways: Any) -> TokenAuthentication:
    return TokenAuthentication(Offered, by_token, seconds=5, **ways)


INNER = URLRouter([path("<int:room>/", Offered.as_asgi())])

application = Greenroom(
    http=django_application(),
    websocket=[
        path("ws/who/", Who),
        path("ws/watched/", Watched),
        path("ws/asleep/", Asleep),
        path("ws/entry/", Entry),
        path("ws/header/", guarded()),
        path("ws/subprotocol/", guarded(header=False, subprotocol=True)),
        path("ws/first/", guarded(header=False, first_message=True)),
        path("ws/nested/<slug:site>/", AuthMiddlewareStack(INNER)),
        path("ws/native/", UrlRouter([path("<int:room>/", Offered)])),
    ],
)
