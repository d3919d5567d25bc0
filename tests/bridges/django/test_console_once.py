# A confirm page that is sent twice, or that has grown old.

import re
from collections.abc import Iterator
from typing import Any

import pytest
from console_project import Clerk, client_of, console_settings
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django import Greenroom
from greenroom.bridges.inspection._identity import this_process
from greenroom.bridges.testing import run_server

CLERK = "/residents/clerk"


@pytest.fixture
def boss(rolled_back: None) -> Iterator[Client]:
    """
    Somebody who may do everything.
    """
    with console_settings():
        yield client_of("boss", superuser=True)


@pytest.fixture
def server(boss: Client) -> Iterator[Any]:
    """
    A tree with a resident.
    """
    with run_server(Greenroom(children=[Clerk])) as server:
        yield server


def epoch(server: Any) -> int:
    """In which incarnation the resident is."""
    return server.root.snapshot().find(CLERK).epoch


def test_once(server: Any, boss: Client) -> None:
    """
    ONCE: the page of a restart says which incarnation it saw, and restarts no other.
    """
    from greenroom.bridges.django.console._ask import ask

    [here] = ask({"ask": "process"}).answers
    assert here.pid == this_process().pid
    url = reverse("admin:greenroom_act", args=["restart"])
    page = boss.get(url, {"process": here.id, "path": CLERK}).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert hidden["epoch"] == "1"
    for _ in range(2):
        assert boss.post(url, hidden).status_code == 302
    assert epoch(server) == 2
    told = boss.get("/admin/").content.decode()
    assert "has begun anew since it was looked at: it is in epoch 2, not 1" in told
    assert boss.post(url, {**hidden, "epoch": "2"}).status_code == 302
    assert epoch(server) == 3
