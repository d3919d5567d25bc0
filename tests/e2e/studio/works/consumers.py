from http.cookies import SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user

from greenroom.actors import WebsocketConsumer


class AsRequest:
    """What get_user() wants of a request: a session."""

    def __init__(self, session: Any) -> None:
        self.session = session


class VisitsConsumer(WebsocketConsumer):
    """Knows the visitor by the session cookie of its scope; crashes when told to."""

    def connect(self, message: Any) -> None:
        headers = dict(self.scope["headers"])
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
        morsel = cookies.get(settings.SESSION_COOKIE_NAME)
        store = import_module(settings.SESSION_ENGINE).SessionStore
        user = get_user(AsRequest(store(morsel.value if morsel else None)))
        self.accept()
        self.send(text=f"welcome {user.get_username() or 'stranger'}")

    def receive(self, text: str) -> None:
        if text == "crash":
            raise RuntimeError("crashed as told")
        self.send(text=f"epoch {self.epoch}: {text}")
