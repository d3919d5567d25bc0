# Whatever raises, and wherever that is told: the text of what was raised, which may be what a user
# wrote, is on no page and in no answer for who may see the tree and nothing else.

from collections.abc import Iterator
from typing import Any

import pytest
from console_project import PAGES, client_of, console_settings
from django.test import override_settings
from django.urls import include, path, reverse

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.django import Greenroom
from greenroom.bridges.django import path as consumer_path
from greenroom.bridges.testing import run_server
from greenroom.supervisor import ChildSpec, SupervisorSpec

BODY = "what-a-user-wrote"
FALLEN = "/connections/room/2"
"""A connection that a crash has ended."""
API = (
    "processes", "tree", "actors", "connections", "groups", "presence", "dead-letters", "threads",
    "events",
)  # fmt: skip


class Careless(Actor):
    """Raises what it was sent, in each way; when it begins anew, too."""

    said: list[str] = []

    async def started(self) -> None:
        if self.said:
            raise KeyError(self.said[0])
        self.presence_track("careless", "careless", {"says": BODY})

    def describe(self) -> dict[str, object]:
        raise LookupError(BODY)

    @handles("crash")
    async def on_crash(self, message: dict[str, Any]) -> None:
        raise KeyError(message["text"])

    @handles("group")
    async def on_group(self, message: dict[str, Any]) -> None:
        raise ExceptionGroup(message["text"], [ValueError(message["text"])])

    @handles("attend")
    async def on_attend(self, message: dict[str, Any]) -> None:
        self.presence_track("careless", "more", {"says": {message["text"]: object()}})

    @handles("for good")
    async def on_for_good(self, message: dict[str, Any]) -> None:
        self.said.append(message["text"])
        raise KeyError(message["text"])


class Room(WebsocketConsumer):
    """Raises what it was sent, and as it ends."""

    def connect(self, message):
        self.accept()

    def receive(self, text):
        raise ValueError(f"{text}: {text}")

    def disconnect(self, message):
        raise ValueError(BODY)


def _urls() -> list[Any]:
    from django.contrib import admin

    return [
        path("admin/", admin.site.urls),
        path("greenroom/", include("greenroom.bridges.django.urls")),
    ]


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        return _urls()
    raise AttributeError(name)


@pytest.fixture
def server(rolled_back: None) -> Iterator[Any]:
    """
    A tree in which all has crashed that can, with a message of somebody's in the text.
    """
    Careless.said.clear()
    application = Greenroom(
        websocket=[consumer_path("room/", Room)],
        children=[
            Careless,
            SupervisorSpec(
                name="team",
                children=[ChildSpec(actor=Careless, name="member", max_restarts=1)],
                max_restarts=1,
            ),
        ],
        max_restarts=2,
    )
    with (
        console_settings(),
        override_settings(ROOT_URLCONF=__name__),
        run_server(application, crashes="allow") as server,
    ):
        with server.websocket("/room/") as socket:
            socket.send_text(BODY)
            socket.wait_restarted()
        server.assert_event("disconnect.failed")
        with server.websocket("/room/") as socket:
            for _ in range(2):
                socket.send_text(BODY)
                socket.wait_restarted()
            socket.send_text(BODY)
            socket.closed()
        server.wait_event("connection.closed", path=FALLEN)
        alone = server.root.find("/residents/careless")
        alone.cast({"type": "group", "text": BODY})
        server.wait_restarted("/residents/careless")
        alone.cast({"type": "attend", "text": BODY})
        server.wait_restarted("/residents/careless")
        server.root.find("/residents/team/member").cast({"type": "for good", "text": BODY})
        server.assert_event("supervisor.gave_up")
        server.assert_event("supervisor.start_failed")
        yield server


def seen(client: Any, process: str) -> dict[str, str]:
    """All that *client* gets to see, by URL."""
    residents = ("/residents", "/residents/careless", "/residents/team", "/residents/team/member")
    places = ("/", *residents, FALLEN)
    texts: dict[str, str] = {}
    for name in PAGES:
        for place in places:
            url = reverse(f"admin:{name}")
            texts[f"{url} {place}"] = client.get(
                url, {"process": process, "path": place}
            ).content.decode()
    for url in (reverse("admin:greenroom_presence"), "/greenroom/api/v1/presence"):
        texts[f"{url} careless"] = client.get(url, {"topic": "careless"}).content.decode()
    for place in places:
        for name in API:
            url = f"/greenroom/api/v1/{name}"
            asked = {"path": place} if name in ("tree", "actors", "events", "dead-letters") else {}
            texts[f"{url} {place}"] = client.get(url, asked).content.decode()
            more = {**asked, "state": "true"}
            texts[f"{url} {place} state"] = client.get(url, more).content.decode()
    texts["whole"] = client.get("/greenroom/tree.json").content.decode()
    return texts


def test_no_text_of_an_exception(server: Any) -> None:
    """
    Who may see the tree sees that, and with what kind of exception, all has crashed; only who may
    see tracebacks sees what it said.
    """
    plain, mighty = client_of("ada", "view_tree"), client_of("eve", "view_tree", "view_traceback")
    told = plain.get("/greenroom/api/v1/processes").json()
    process = told["answers"][0]["process"]["id"]

    texts = seen(plain, process)
    assert [url for url, text in texts.items() if BODY in text] == []
    stateful = seen(client_of("bob", "view_tree", "view_state"), process)
    assert [url for url, text in stateful.items() if BODY in text] == []
    assert any("could not describe itself: LookupError" in text for text in stateful.values())
    present = [text for url, text in texts.items() if url.endswith(" careless")]
    assert ["/residents/careless" in text for text in present] == [True, True]
    assert any("KeyError" in text for text in texts.values())
    assert any("ExceptionGroup" in text for text in texts.values())
    first = plain.get(reverse("admin:greenroom_tree")).content.decode()
    assert BODY not in first
    assert FALLEN in first
    assert "ended by a crash" in first
    assert len([url for url, text in seen(mighty, process).items() if BODY in text]) > 5
