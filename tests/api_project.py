# A project with the console in its admin and its data at /greenroom/, and a tree that is full of
# secrets: for tests of who may see what.

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from console_project import console_settings
from django.conf import settings
from django.test import override_settings
from django.urls import include, path

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom
from greenroom.bridges.django import path as consumer_path
from greenroom.bridges.testing import run_server

BODY = "marker-in-a-message"
STATE = "marker-in-the-state"
SHOWN = "marker-that-describe-shows"
SOURCE = "marker-in-the-source"
RAISED = "marker-in-an-exception"
EVERYTHING = (BODY, STATE, SHOWN, SOURCE, RAISED, "secretive")

READER = "a-token-of-the-readers-1234"
OPERATOR = "a-token-of-the-operators-12"
NOBODY = "a-token-without-anything"
TOKENS = {
    "reader": {"token": READER},
    "operator": {
        "token": OPERATOR,
        "permissions": ["view_tree", "view_traceback", "view_state", "restart_actor"],
    },
    "nobody": {"token": NOBODY, "permissions": []},
}
"""The tokens of the project."""


class Secretive(Actor):
    """Has secrets in its state, its messages and its crashes."""

    async def started(self) -> None:
        self.password = STATE
        self.presence_track("secretive-room", "secretive", {"state": STATE})

    def describe(self) -> dict[str, object]:
        return {"shown": SHOWN}

    @handles("crash")
    async def on_crash(self, message: dict[str, Any]) -> None:
        raise ValueError(RAISED)  # marker-in-the-source


class Busy(Actor):
    """Handles its first message until it is stopped, so that others wait behind it."""

    @handles("work")
    async def on_work(self, message: dict[str, Any]) -> None:
        await trio.sleep_forever()


class Room(WebsocketConsumer):
    """Echoes."""

    def connect(self, message):
        self.accept()

    def receive(self, text):
        self.password = STATE
        self.send(text=text)


def _urls() -> list[Any]:
    from django.contrib import admin

    return [
        path("admin/", admin.site.urls),
        path("greenroom/", include("greenroom.bridges.django.urls")),
    ]


def __getattr__(name: str) -> Any:
    # Made when Django asks for it: the admin is installed by then.
    if name == "urlpatterns":
        return _urls()
    raise AttributeError(name)


@contextmanager
def api_settings() -> Iterator[None]:
    """Have the project's settings, with its tokens."""
    with (
        console_settings(),
        override_settings(
            ROOT_URLCONF="api_project",
            GREENROOM={**getattr(settings, "GREENROOM", {}), "INSPECTION_TOKENS": TOKENS},
        ),
    ):
        yield


@contextmanager
def secrets_served() -> Iterator[Any]:
    """Run the tree, with a secret wherever there can be one; yield its driver."""
    application = Greenroom(
        websocket=[consumer_path("room/", Room)],
        children=[Secretive, Busy],
        max_restarts=10,
        shutdown_seconds=0,  # Busy waits for ever
    )
    with run_server(application, crashes="allow") as server:
        with server.websocket("/room/") as socket:
            socket.send_text(BODY)
            assert socket.receive_text() == BODY
            for name in ("busy", "secretive"):
                ref = server.root.find(f"/residents/{name}")
                ref.cast({"type": "nobody.handles.this", "text": BODY})
            busy = server.root.find("/residents/busy")
            for _ in range(3):
                busy.cast({"type": "work", "text": BODY})
            secretive = server.root.find("/residents/secretive")
            secretive.cast({"type": "crash", "text": BODY})
            server.wait_restarted("/residents/secretive")
            yield server
