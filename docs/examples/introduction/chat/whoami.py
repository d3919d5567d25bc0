from http.cookies import SimpleCookie
from importlib import import_module
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from greenroom.actors import WebsocketConsumer


class WhoamiConsumer(WebsocketConsumer):

    def connect(self):
        if not same_origin(self.scope):
            self.close()                     # not accepted yet: the handshake gets 403
            return
        self.user = user_of(self.scope)      # asks the database, so connect is a `def`
        self.accept()
        self.send(text=f"You are {self.user.get_username() or 'nobody I know'}.")


def user_of(scope):
    """The user who is logged in on this browser, or AnonymousUser. For `def` handlers."""
    cookies = SimpleCookie(header(scope, b"cookie"))
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    engine = import_module(settings.SESSION_ENGINE)
    request = HttpRequest()
    request.session = engine.SessionStore(morsel.value if morsel else None)
    return get_user(request)


def same_origin(scope):
    """Whether the page that opened the socket came from this very site."""
    return urlsplit(header(scope, b"origin")).netloc == header(scope, b"host")


def header(scope, name):
    return dict(scope["headers"]).get(name, b"").decode("latin-1")
