# Half a character, as a client may send it in JSON: no page, and no feed, is lost by it.

import json
from collections.abc import Iterator
from typing import Any

import pytest
from console_project import PAGES, Clerk, Room, client_of, console_settings
from django.urls import path, reverse

from greenroom.bridges.django import Greenroom
from greenroom.bridges.inspection._wire import mended
from greenroom.bridges.testing import run_server

HALF = json.loads('"\\ud800"')


@pytest.fixture
def server(rolled_back: None) -> Iterator[Any]:
    """
    A tree in which half a character is wherever a client's may be.
    """
    application = Greenroom(
        websocket=[path("room/", Room)],  # pyright: ignore[reportCallIssue]
        children=[Clerk],
    )
    with console_settings(), run_server(application) as server:
        clerk = server.root.find("/residents/clerk")
        clerk.cast({"type": f"odd{HALF}", HALF: 1})
        server.root.events.emit("group.gap", "/residents", 0, group=HALF, reason="x", members=1)
        server.root.events.emit("admin.action", f"/{HALF}", 0, action="stop", by=HALF, outcome="x")
        server.assert_event("message.dead_letter", path="/residents/clerk")
        yield server


def test_every_page_is_there(server: Any) -> None:
    """
    Every page, and all that is data, is there, with something else in its place.
    """
    client = client_of("ada", "view_tree", "view_traceback", "view_state")
    for name in PAGES:
        answer = client.get(reverse(f"admin:{name}"))
        assert answer.status_code == 200, name
    assert "odd?" in client.get(reverse("admin:greenroom_dead_letters")).content.decode()
    assert "odd?" in client.get(reverse("admin:greenroom_api_dead_letters")).content.decode()


def test_what_has_none_is_as_it_was() -> None:
    """
    An answer is copied only if there is something to mend; what is no JSON is left to others.
    """
    for answer in ({"a": ["b", 1, None]}, {"a": object()}):
        assert mended(answer) is answer
    assert mended({HALF: [HALF]}) == {"?": ["?"]}
