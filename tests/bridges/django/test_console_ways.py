# Ways through the console that an operator goes: from a place to its page, and from there on.

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from console_project import client_of, room_served, text_of
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django.console._ask import ask
from greenroom.bridges.django.console._hearing import Voice
from greenroom.bridges.django.console._pages_tree import TreeView

CLERK = "/residents/clerk"


@pytest.fixture
def server(console: None) -> Iterator[Any]:
    """
    A tree with a resident and a route.
    """
    with room_served() as server:
        yield server


@pytest.fixture
def ada(console: None) -> Client:
    """
    Somebody who may see the tree and do nothing.
    """
    return client_of("ada", "view_tree")


def here() -> str:
    """The id of the process, by which it is addressed."""
    [answer] = ask({"ask": "process"}).answers
    return answer.id


@pytest.mark.parametrize("place", ["/", "/connections", "/connections/room", "/residents"])
def test_what_is_no_actor_has_a_page(server: Any, console: None, place: str) -> None:
    """
    A route and a supervisor have a page like an actor, from which those who may act on them.
    """
    client = client_of("bob", "view_tree", "restart_actor", "disconnect_connection")
    with server.websocket("/room/"):
        text = text_of(client, "greenroom_actor", path=place)
    assert "nothing is at" not in text
    assert 'id="gr-now"' in text
    assert ("/act/disconnect-path/" in text) == place.startswith("/connections")


def test_an_actor_that_was_stopped_is_started_from_its_page(server: Any, console: None) -> None:
    """
    What somebody has stopped has a page still, with the link that starts it.
    """
    client = client_of("bob", "view_tree", "start_actor", "stop_actor")
    place = {"process": here(), "path": "/residents/clerk"}
    answer = client.post(reverse("admin:greenroom_act", args=["stop"]), place)
    assert answer.status_code == 302
    assert "/act/start/" in text_of(client, "greenroom_actor", path="/residents/clerk")


def test_trouble_of_which_nobody_knows(
    server: Any, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A process that has not said in time what is unhealthy in it is not said to be healthy.
    """
    asked = TreeView.troubles

    def in_vain(view: TreeView) -> list[Voice]:
        return [replace(voice, silent="no answer within 0.1 s") for voice in asked(view)]

    monkeypatch.setattr(TreeView, "troubles", in_vain)
    box = text_of(ada, "greenroom_tree").partition('id="gr-trouble-list"')[2]
    box = box.partition("</section>")[0]
    assert "every place is healthy" not in box
    assert "Nobody knows what is in trouble in process " in box


def test_a_trace_leads_to_what_it_tells(server: Any, console: None) -> None:
    """
    Who has begun a trace comes to the page that shows what it tells, of this place.
    """
    boss = client_of("boss", superuser=True)
    data = {"process": here(), "path": CLERK, "seconds": "60"}
    answer: Any = boss.post(reverse("admin:greenroom_act", args=["trace"]), data)
    assert answer.url == f"{reverse('admin:greenroom_events')}?" + urlencode(
        {"kind": "actor.handled", "path": CLERK}
    )
    assert "None remembered that is as looked for." in boss.get(answer.url).content.decode()
