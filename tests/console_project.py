# A project with an admin inside the test process, for tests of the console's pages: its URLs, what
# it serves, and who logs in.

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from django.conf import settings
from django.test import Client, override_settings
from django.urls import path, reverse

from greenroom.actors import Actor, WebsocketConsumer, handles

SECRET = "a secret of no page"
SCRIPT = "<script>alert('gotcha')</script>"

PAGES = (
    "greenroom_tree",
    "greenroom_actor",
    "greenroom_connections",
    "greenroom_groups",
    "greenroom_presence",
    "greenroom_dead_letters",
    "greenroom_threads",
    "greenroom_processes",
    "greenroom_events",
)


class Room(WebsocketConsumer):
    """Joins a group, or is present in a topic, named as the peer says; crashes when told to."""

    def connect(self, message):
        self.accept()

    def receive(self, text):
        if text.startswith("crash "):
            self.secret = SECRET
            raise ValueError(text.removeprefix("crash "))  # the line at fault
        if text.startswith("join "):
            self.join(text.removeprefix("join "))
        if text.startswith("attend "):
            topic = text.removeprefix("attend ")
            self.presence_track(topic, "ann", {"secret": SECRET})
        if text == "lose":
            self.cast("/residents/clerk", {"type": "nobody.handles.this"})
        self.send(text=text)


class Clerk(Actor):
    """Handles one message, and shows a state."""

    def describe(self) -> dict[str, object]:
        return {"orders": 3}

    @handles("order")
    async def order(self) -> None:
        pass


def _urls() -> list[Any]:
    from django.contrib import admin

    return [path("admin/", admin.site.urls)]


def __getattr__(name: str) -> Any:
    # Made when Django asks for it: the admin is installed by then.
    if name == "urlpatterns":
        return _urls()
    raise AttributeError(name)


_migrated: list[bool] = []


def _migrate() -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.close()
    _migrated.append(True)


@contextmanager
def console_settings() -> Iterator[None]:
    """Have the admin installed, with all that it needs, and its tables made."""
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    processors = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    templates = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": processors},
    }
    with override_settings(
        ROOT_URLCONF="console_project",
        MIDDLEWARE=middleware,
        TEMPLATES=[templates],
        STATIC_URL="static/",
        INSTALLED_APPS=[
            *settings.INSTALLED_APPS,
            "django.contrib.admin",
            "django.contrib.messages",
            "django.contrib.staticfiles",
        ],
    ):
        if not _migrated:
            # In a thread, so on a connection of its own: the test may be in a transaction already.
            thread = Thread(target=_migrate)
            thread.start()
            thread.join()
        yield


def client_of(name: str, *permissions: str, staff: bool = True, superuser: bool = False) -> Client:
    """Return a client in which somebody with *permissions* (codenames) is logged in."""
    from django.contrib.auth.models import Permission, User

    user = User.objects.create_user(name, is_staff=staff, is_superuser=superuser)
    found = Permission.objects.filter(content_type__app_label="greenroom", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client, name: str, **query: Any) -> str:
    """Return the text of a page that is there."""
    answer = client.get(reverse(f"admin:{name}"), query)
    assert answer.status_code == 200, answer.content.decode()[:2000]
    return answer.content.decode()


@contextmanager
def room_served() -> Iterator[Any]:
    """A tree with a resident and a route, whose actors may crash."""
    from greenroom.bridges.django import Greenroom
    from greenroom.bridges.django import path as route
    from greenroom.bridges.testing import run_server

    application = Greenroom(websocket=[route("room/", Room)], children=[Clerk])
    with run_server(application, crashes="allow") as server:
        yield server
