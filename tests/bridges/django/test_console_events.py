# The pages of what has happened, events and dead letters: their older pages, what the links keep,
# and a process that is not there.

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from console_project import Clerk, client_of, console_settings, text_of
from django.test import Client

from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import run_server

MANY = 120


@pytest.fixture
def server(rolled_back: None) -> Iterator[Any]:
    """
    A tree with more events of one kind than a page holds.
    """
    with console_settings(), run_server(Greenroom(children=[Clerk]), crashes="allow") as server:
        for number in range(MANY):
            server.root.events.emit("await.forgotten", f"/probe/{number}")
        server.root.events.emit("await.forgotten", "/elsewhere")
        yield server


@pytest.fixture
def ada(server: Any) -> Client:
    """
    Somebody who may read.
    """
    return client_of("ada", "view_tree")


def probes(text: str) -> list[int]:
    """The numbers of the probes of a page, in its order."""
    return [int(found) for found in re.findall(r">/probe/(\d+)</a>", text)]


def to(text: str, label: str) -> str:
    """Where the link with that text leads; "" if there is none."""
    found = re.search(rf'href="([^"]+)"[^>]*>{label}</a>', text)
    return unescape(found[1]) if found else ""


def test_older_pages(ada: Client) -> None:
    """
    By its links all that is remembered is read, the newest first, none left out or twice.
    """
    text = text_of(ada, "greenroom_events", kind="await.", path="/probe")
    assert to(text, "From the newest") == ""
    read, newest = probes(text), to(text, "Older events")
    assert len(read) == 50
    while url := to(text, "Older events"):
        assert "kind=await." in url
        assert "path=%2Fprobe" in url
        text = ada.get(url).content.decode()
        read += probes(text)
    assert read == list(range(MANY))[::-1]
    back = to(text, "From the newest")
    assert probes(ada.get(back).content.decode())[0] == MANY - 1
    assert newest != back


def test_what_comes_meanwhile(server: Any, ada: Client) -> None:
    """
    An older page stays the same while new events come.
    """
    text = text_of(ada, "greenroom_events", path="/probe")
    url = to(text, "Older events")
    before = probes(ada.get(url).content.decode())
    server.root.events.emit("await.forgotten", "/probe/999")
    assert probes(ada.get(url).content.decode()) == before


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "1.5", "\N{SUPERSCRIPT TWO}", ""])
def test_no_number(ada: Client, before: str) -> None:
    """
    A page that begins nowhere is that of the newest.
    """
    process = re.search(r"process=([^&\"]+)", text_of(ada, "greenroom_events"))
    assert process
    text = text_of(ada, "greenroom_events", process=unquote(process[1]), before=before)
    assert "/elsewhere" in text


def test_of_one_process(ada: Client) -> None:
    """
    A number counts within its process, so without one it begins nowhere.
    """
    assert "/elsewhere" in text_of(ada, "greenroom_events", before="5")


def test_a_process_that_has_gone(ada: Client) -> None:
    """
    The page of a process that has ended says so, and leads to those that are there.
    """
    text = text_of(ada, "greenroom_events", process="host:1:1", kind="await.", before="7")
    assert "no process of this id is there" in text
    url = to(text, "All processes")
    assert "kind=await." in url
    assert "/elsewhere" in ada.get(url).content.decode()


def test_older_dead_letters(server: Any, ada: Client) -> None:
    """
    By its links all dead letters that are kept are read, the newest first, with what was searched.
    """
    for number in range(MANY):
        server.root.dead_letters.add(f"/probe/{number}", {"type": "x"}, "nobody is there")
    server.root.dead_letters.add("/elsewhere", {"type": "x"}, "nobody is there")
    text = text_of(ada, "greenroom_dead_letters", q="/probe/")
    read = probes(text)
    while url := to(text, "Next page"):
        assert "q=%2Fprobe%2F" in url
        text = ada.get(url).content.decode()
        read += probes(text)
    kept = server.root.dead_letters.recent(1000)
    assert read == [int(each.target_path.rpartition("/")[2]) for each in kept[:-1]][::-1]
    assert len(read) > 50
    assert to(text, "From the beginning")
