# A consumer that finds its visitor's session by the cookie in its scope.
from http.cookies import SimpleCookie
from importlib import import_module

from django.conf import settings

from greenroom.actors import WebsocketConsumer


class Visits(WebsocketConsumer):
    def connect(self, message):
        header = dict(self.scope["headers"]).get(b"cookie", b"")
        morsel = SimpleCookie(header.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
        store = import_module(settings.SESSION_ENGINE).SessionStore
        session = store(morsel.value if morsel else None)
        self.accept()
        self.send(text=f"visit {session.get('visits', 0)}")
