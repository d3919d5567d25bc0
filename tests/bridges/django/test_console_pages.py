# The pages of the console, with what a tree that runs in this process has answered.

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console_project import (
    SCRIPT,
    SECRET,
    client_of,
    room_served,
    text_of,
)
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import run_server

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
CRASHED = "/connections/room/1"


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
    Somebody who may see everything and do nothing.
    """
    return client_of("ada", "view_tree", "view_traceback", "view_state")


def example(name: str) -> Any:
    """A module of the documentation."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def process_in(text: str) -> str:
    """The id of the process, as the links of a page name it."""
    found = re.search(r"process=([^&\"]+)", text)
    assert found
    return found[1].replace("%3A", ":")


def crash(server: Any, socket: Any, text: str = "sold out") -> None:
    """Have a consumer crash, and wait until it was restarted."""
    socket.send_text(f"crash {text}")
    socket.wait_restarted()


def test_the_tree(server: Any, ada: Client) -> None:
    """
    The first page has the process, what lives in it, in which state, and nothing in trouble.
    """
    with server.websocket("/room/"):
        text = text_of(ada, "greenroom_tree")
    assert "1 of 1 process answered." in text
    assert "Nothing: every place is healthy." in text
    for name in ("/residents/clerk", "Clerk", "room", "running", "epoch 1", "ready"):
        assert name in text
    assert 'scope="col"' in text
    assert 'scope="row"' in text


def test_unfolded_by_links(server: Any, ada: Client) -> None:
    """
    What is below a place is there once its link was followed, and gone once it is followed again.
    """
    with server.websocket("/room/"):
        text = text_of(ada, "greenroom_tree")
        assert CRASHED not in text
        unfold = toggle(text, "Unfold /connections/room")
        text = ada.get(unfold).content.decode()
        assert CRASHED in text
        assert "/residents/clerk" in text
        text = ada.get(toggle(text, "Fold /connections/room")).content.decode()
        assert CRASHED not in text


def toggle(text: str, label: str) -> str:
    """The address of the link that unfolds or folds a place."""
    found = re.search(rf'href="([^"#]*)[^"]*" aria-expanded="\w+" aria-label="{label}"', text)
    assert found, label
    return found[1].replace("&amp;", "&")


def test_what_is_in_trouble(server: Any, ada: Client) -> None:
    """
    What has crashed is on the first page, with what it said and a link to its own page.
    """
    with server.websocket("/room/") as socket:
        crash(server, socket)
        text = text_of(ada, "greenroom_tree")
        box = text.partition('id="gr-trouble-list"')[2].partition("</section>")[0]
        assert CRASHED in box
        assert "ValueError: sold out" in box
        link = re.search(r'href="([^"]+)">/connections/room/1<', box)
        assert link
        actor = ada.get(link[1].replace("&amp;", "&")).content.decode()
        assert "the line at fault" in actor


def test_pages_of_the_tree(server: Any, ada: Client) -> None:
    """
    Of many places one page has the first, and the next page the rest.
    """
    sockets = [server.dial("/room/") for _ in range(60)]
    for socket in sockets:
        socket.handshake()
    process = process_in(text_of(ada, "greenroom_tree"))
    text = text_of(ada, "greenroom_tree", process=process, path="/connections/room")
    assert ">50</a>" in text
    assert ">51</a>" not in text
    more = re.search(r'href="([^"]+)" rel="next"', text)
    assert more
    rest = ada.get(more[1].replace("&amp;", "&")).content.decode()
    assert ">60</a>" in rest
    assert ">50</a>" not in rest
    assert "From the beginning" in rest
    for socket in sockets:
        socket.disconnect()


def test_what_is_looked_for(server: Any, ada: Client) -> None:
    """
    A search, and each filter, finds what is as looked for on all levels, and says if nothing is.
    """
    with server.websocket("/room/") as socket, server.websocket("/room/"):
        assert "/residents/clerk" in text_of(ada, "greenroom_tree", q="CLERK")
        assert CRASHED not in text_of(ada, "greenroom_tree", q="clerk")
        for query in ({"unhealthy": "1"}, {"restarted": "5"}, {"mailbox": "1"}, {"q": "nobody"}):
            assert "Nothing here is as looked for." in text_of(ada, "greenroom_tree", **query)
        crash(server, socket)
        for query in ({"unhealthy": "1"}, {"restarted": "5"}):
            text = text_of(ada, "greenroom_tree", **query)
            assert CRASHED in text
            assert "/connections/room/2" not in text


@pytest.mark.parametrize(
    "query",
    [
        {"mailbox": "-1", "restarted": "x", "after": "nonsense", "open": ["", "|", "x|y"]},
        {"process": "nowhere:1:2", "path": "/x"},
        {"process": SCRIPT, "path": SCRIPT, "q": SCRIPT, "open": SCRIPT},
        {"open": [f"a:1:2|/{n}" for n in range(500)]},
        {"after": "x" * 5000, "q": "\x00\ud7ff" * 300},
    ],
)
def test_a_query_that_is_nonsense(server: Any, ada: Client, query: dict[str, Any]) -> None:
    """
    Whatever the address says, the page answers, and nothing of it is markup.
    """
    assert SCRIPT not in text_of(ada, "greenroom_tree", **query)


def test_the_actor(server: Any, ada: Client) -> None:
    """
    An actor's page has its spec, its state as it describes it, its events and its history.
    """
    text = text_of(ada, "greenroom_actor", path="/residents/clerk")
    for part in (
        "Clerk",
        "orders",
        "Spec",
        "Last events",
        "slot.started",
        "The stack of its task",
    ):
        assert part in text


def test_a_crash_with_its_traceback(server: Any, ada: Client) -> None:
    """
    A crash is shown with the line at fault first, then the whole traceback, and no values.
    """
    with server.websocket("/room/") as socket:
        crash(server, socket)
        text = text_of(ada, "greenroom_actor", path=CRASHED)
    before, _, after = text.partition('id="gr-fault-line"')
    assert "Traceback (most recent call last)" not in before
    assert "the line at fault" in after.partition("</code>")[0]
    assert "Traceback (most recent call last)" in after
    assert "epoch 2" in text
    assert SECRET not in text


def test_what_needs_a_permission(server: Any, console: None) -> None:
    """
    Without its permission neither a traceback, nor a stack, nor the state is there.
    """
    client = client_of("bob", "view_tree")
    with server.websocket("/room/") as socket:
        crash(server, socket)
        text = text_of(client, "greenroom_actor", path=CRASHED)
        assert "ValueError" in text
        for part in (
            "Traceback (most",
            "the line at fault",
            "console_project.py",
            "stack of its task",
        ):
            assert part not in text
        assert "greenroom.view_traceback" in text
    text = text_of(client, "greenroom_actor", path="/residents/clerk")
    assert "orders" not in text
    assert "greenroom.view_state" in text
    assert "greenroom/act/" not in text


def test_actions_for_those_who_may(server: Any, console: None) -> None:
    """
    Who may restart an actor has a link to that, and to nothing else.
    """
    client = client_of("bob", "view_tree", "restart_actor")
    text = text_of(client, "greenroom_actor", path="/residents/clerk")
    found = re.findall(r'href="([^"]*/act/[^"]*)"', text)
    assert [url.partition("?")[0] for url in found] == [
        reverse("admin:greenroom_act", args=["restart"])
    ]
    assert "path=%2Fresidents%2Fclerk" in found[0]
    assert "process=" in found[0]


def test_the_connections_of_a_user(server: Any, console: None) -> None:
    """
    Who looks at the connections of one user, and may end them, has a link to that.
    """
    disconnect = reverse("admin:greenroom_act", args=["disconnect-user"])
    for name, there in (("disconnect_user", True), ("restart_actor", False)):
        client = client_of(name, "view_tree", name)
        assert (
            f"{disconnect}?user=7" in text_of(client, "greenroom_connections", user="7")
        ) is there
        assert disconnect not in text_of(client, "greenroom_connections")


def test_a_connection_that_a_crash_has_ended(server: Any, ada: Client) -> None:
    """
    What has ended by a crash is on the first page, and its page has the line at fault still.
    """
    with server.websocket("/room/") as socket:
        for _ in range(3):
            crash(server, socket)
        socket.send_text("crash for good")
        socket.closed()
        server.wait_event("connection.closed", path=CRASHED)
        text = text_of(ada, "greenroom_tree")
        assert "ended by a crash" in text
        link = re.search(r'href="([^"]+)">/connections/room/1<', text)
        assert link
        actor = ada.get(link[1].replace("&amp;", "&")).content.decode()
        assert "It has ended" in actor
        assert "the line at fault" in actor
        assert "greenroom/act/" not in actor
        stranger = text_of(
            client_of("bob", "view_tree", "stop_actor"), "greenroom_actor", path=CRASHED
        )
        assert "ValueError" in stranger
        assert "the line at fault" not in stranger
        assert "greenroom/act/" not in stranger


def test_an_actor_that_has_ended(server: Any, ada: Client) -> None:
    """
    The page of a place that is no more says so, with a way back.
    """
    answer = ada.get(reverse("admin:greenroom_actor"), {"path": "/residents/nobody"})
    assert answer.status_code == 404
    assert reverse("admin:greenroom_tree") in answer.content.decode()
    text = text_of(ada, "greenroom_actor", path="/residents/clerk", process="other:1:2")
    assert "no process of this id is there" in text


def test_connections(server: Any, ada: Client) -> None:
    """
    Connections are listed, searched and counted by route.
    """
    with server.websocket("/room/"), server.websocket("/room/"):
        text = text_of(ada, "greenroom_connections")
        assert CRASHED in text
        assert "/connections/room/2" in text
        found = text_of(ada, "greenroom_connections", q="room/2")
        assert "/connections/room/2" in found
        assert f">{CRASHED}<" not in found
        counted = text_of(ada, "greenroom_connections", by="route")
        assert ">room" in counted
        assert f">{CRASHED}<" not in counted
    assert "No connection is open." in text_of(ada, "greenroom_connections")


def test_groups(server: Any, ada: Client) -> None:
    """
    Groups are listed with a link to their members.
    """
    with server.websocket("/room/") as socket:
        socket.send_text("join lobby")
        assert socket.receive_text() == "join lobby"
        text = text_of(ada, "greenroom_groups")
        assert ">lobby</a>" in text
        assert CRASHED in text_of(ada, "greenroom_groups", group="lobby")
        assert "groups/?group=lobby" in text_of(ada, "greenroom_actor", path=CRASHED)


def test_presence(server: Any, ada: Client) -> None:
    """
    Topics are listed with a link to who is present in them, and those with one to each actor.
    """
    assert "Nobody is present, or watches." in text_of(ada, "greenroom_presence")
    with server.websocket("/room/") as socket:
        for topic in ("lobby", " the bar "):
            socket.send_text(f"attend {topic}")
            assert socket.receive_text() == f"attend {topic}"
        assert CRASHED in text_of(ada, "greenroom_presence", topic=" the bar ")
        text = text_of(ada, "greenroom_presence")
        assert ">lobby</a>" in text
        assert "No topic is as looked for." in text_of(ada, "greenroom_presence", q="hall")
        link = re.search(r'href="([^"]+topic=lobby)"', text)
        assert link
        text = ada.get(link[1]).content.decode()
        assert "Presences here: 1. Keys in all processes: 1. Watchers here: 0." in text
        assert re.search(r'<th scope="row">\s*ann\s*</th>', text)
        assert re.search(rf'href="[^"]*greenroom/actor/[^"]+">{CRASHED}<', text)
        assert SECRET not in text
        empty = text_of(ada, "greenroom_presence", topic="lobby", q="bob")
        assert "Nobody is as looked for." in empty
        assert "nobody is present in the topic" in text_of(ada, "greenroom_presence", topic="hall")
        text = text_of(ada, "greenroom_actor", path=CRASHED)
        assert "presence/?topic=lobby" in text
        assert "Present as" in text
        assert SECRET not in text


def test_dead_letters(server: Any, ada: Client) -> None:
    """
    A message that nobody handles is listed with its target.
    """
    assert "None was lost." in text_of(ada, "greenroom_dead_letters")
    with server.websocket("/room/") as socket:
        socket.send_text("lose")
        assert socket.receive_text() == "lose"
        server.wait_dead_letter()
        text = text_of(ada, "greenroom_dead_letters")
        for part in ("/residents/clerk", "nobody.handles.this"):
            assert part in text


def test_threads_processes_events(server: Any, ada: Client) -> None:
    """
    The pools of threads, the process with its figures, and the last events are shown.
    """
    assert re.search(r"\d+ busy of [\d,]+ places", text_of(ada, "greenroom_threads"))
    processes = text_of(ada, "greenroom_processes")
    assert "ready" in processes
    assert "Loop lag" in processes
    events = text_of(ada, "greenroom_events")
    assert "slot.started" in events
    assert "slot.started" not in text_of(ada, "greenroom_events", kind="slot.crashed")


def test_only_what_changes(server: Any, ada: Client) -> None:
    """
    The script gets the changing part alone, and the header by which it knows it.
    """
    url = reverse("admin:greenroom_tree")
    answer = ada.get(url, headers={"X-Greenroom-Fragment": "1"})
    text = answer.content.decode()
    assert answer["X-Greenroom-Fragment"] == "1"
    assert "<html" not in text
    assert text.strip() in ada.get(url).content.decode() or "gr-trouble" in text
    assert "X-Greenroom-Fragment" not in ada.get(url)


def test_no_inline_script_or_style(server: Any, ada: Client) -> None:
    """
    A strict Content-Security-Policy lets everything pass that the console adds.
    """
    text = text_of(ada, "greenroom_tree").partition('class="gr-nav"')[2].partition("<footer")[0]
    assert " style=" not in text
    assert "<script" not in text
    assert re.search(r"\son\w+=", text) is None


def test_hostile_names(server: Any, ada: Client) -> None:
    """
    Names of groups and topics, texts of exceptions and searches from outside are never markup.
    """
    with server.websocket("/room/") as socket:
        for what in ("join", "attend"):
            socket.send_text(f"{what} {SCRIPT}")
            socket.receive_text()
        crash(server, socket, SCRIPT)
        for name, query in (
            ("greenroom_tree", {}),
            ("greenroom_tree", {"q": SCRIPT}),
            ("greenroom_actor", {"path": CRASHED}),
            ("greenroom_groups", {}),
            ("greenroom_groups", {"group": SCRIPT}),
            ("greenroom_presence", {}),
            ("greenroom_presence", {"topic": SCRIPT}),
            ("greenroom_presence", {"q": SCRIPT}),
            ("greenroom_connections", {"q": SCRIPT}),
            ("greenroom_events", {"path": SCRIPT}),
        ):
            text = text_of(ada, name, **query)
            assert SCRIPT not in text, name
        assert "&lt;script&gt;alert" in text_of(ada, "greenroom_tree")


def test_the_state_of_the_example(console: None, ada: Client) -> None:
    """
    The example's actor shows what its describe() returns, to who may see states, and nothing else.
    """
    till = example("till")["Till"]
    with run_server(Greenroom(children=[till])):
        text = text_of(ada, "greenroom_actor", path="/residents/till")
        assert "euros" in text
        assert "4711" not in text
        stranger = text_of(client_of("bob", "view_tree"), "greenroom_actor", path="/residents/till")
        assert "euros" not in stranger
