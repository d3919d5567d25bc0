# The console's pages in a project that is not as most are: another language, numbers written in
# another way, users whose keys are no numbers; and who is found by a name.

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from console_project import client_of, console_settings, room_served, text_of
from django.db import models
from django.test import Client, override_settings
from django.urls import reverse
from django.utils.translation import override

from greenroom.bridges.django.console import _hearing
from greenroom.bridges.django.console._user_names import (
    _is_key,  # pyright: ignore[reportPrivateUsage]
    keys_named,
)

CRASHED = "/connections/room/1"


@pytest.fixture
def console(rolled_back: None) -> Iterator[None]:
    """
    A project with an admin, whose users read German and write 1.234,5.
    """
    with console_settings(), override_settings(USE_THOUSAND_SEPARATOR=True), override("de"):
        yield


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
    Somebody who may see everything, in German.
    """
    client = client_of("ada.lovelace", "view_tree", "view_traceback", "view_state", "restart_actor")
    client.cookies["django_language"] = "de"
    return client


def crash(server: Any, socket: Any, times: int = 1) -> None:
    """Have a consumer crash, and wait until it was restarted."""
    for _ in range(times):
        socket.send_text("crash sold out")
        socket.wait_restarted()


def test_numbers_are_read_as_they_are(
    server: Any, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The number of a process, and those in fields, have no separators, whatever the locale.
    """
    voice_of = _hearing.voice_of

    def with_a_long_number(said: Any) -> Any:
        return replace(voice_of(said), pid=1234567)

    monkeypatch.setattr(_hearing, "voice_of", with_a_long_number)
    with server.websocket("/room/") as socket:
        crash(server, socket)
        tree = text_of(ada, "greenroom_tree", mailbox="2000")
        assert 'value="2000"' in tree
        for fragment in (False, True):
            headers = {"X-Greenroom-Fragment": "1"} if fragment else {}
            for name, query in (("tree", {}), ("actor", {"path": CRASHED})):
                answer = ada.get(reverse(f"admin:greenroom_{name}"), query, headers=headers)
                text = answer.content.decode()
                assert "1234567" in text
                assert "1.234.567" not in text


def test_the_language_of_its_words(server: Any, ada: Client) -> None:
    """
    What is English says so, also where the page is in another language, or reads the other way.
    """
    text = text_of(ada, "greenroom_tree")
    head = text.partition('class="gr-nav"')[0]
    assert '<div lang="en" dir="ltr">' in head
    assert '<h1 lang="en" dir="ltr">Greenroom</h1>' in head


def test_each_id_once(server: Any, ada: Client) -> None:
    """
    No two elements of an actor's page have the same id, however often it has crashed.
    """
    with server.websocket("/room/") as socket:
        crash(server, socket, times=3)
        text = text_of(ada, "greenroom_actor", path=CRASHED)
    assert "What happened before it" in text
    twice = {id: n for id, n in Counter(re.findall(r'\sid="([^"]+)"', text)).items() if n > 1}
    assert twice == {}


class Person(models.Model):
    """Somebody with a key that is no number."""

    id = models.UUIDField(primary_key=True)

    class Meta:
        app_label = "greenroom_elsewhere"
        managed = False


class Member(models.Model):
    """Somebody with a number."""

    class Meta:
        app_label = "greenroom_elsewhere"
        managed = False


@pytest.mark.parametrize(
    ("model", "key", "is_one"),
    [
        (Person, str(UUID(int=7)), True),
        (Person, "7", False),
        (Member, "7", True),
        (Member, str(2**63), False),
        (Member, "seven", False),
    ],
)
def test_keys_of_all_kinds(model: Any, key: str, is_one: bool) -> None:
    """
    The key of a user may be a UUID; what can be no key is not asked for.
    """
    assert _is_key(model, key) is is_one


def test_who_is_found_by_a_name(server: Any, ada: Client) -> None:
    """
    A user is found by a part of the name, in the tree and among the connections, and nobody else.
    """
    from django.contrib.auth.models import User

    key = str(User.objects.get(username="ada.lovelace").pk)
    assert keys_named("LOVELACE") == [key]
    assert keys_named("") == keys_named("nobody") == []
    with server.websocket("/room/"), server.websocket("/room/"):
        belongs_to(server, CRASHED, key)
        for name in ("greenroom_tree", "greenroom_connections"):
            found = text_of(ada, name, q="Lovelace")
            assert CRASHED in found
            assert "/connections/room/2" not in found
            assert CRASHED not in text_of(ada, name, q="Byron")


class Identity:
    """Whose connection it is."""

    def __init__(self, user: str) -> None:
        self._user = user

    def facts(self) -> dict[str, object]:
        return {"user": self._user}

    def detach(self) -> None:
        """Take note that it is over."""


def belongs_to(server: Any, path: str, user: str) -> None:
    """Have the connection at *path* be that of *user*."""
    slot = server.root.connections.find(path)
    slot.connection.scope["greenroom.identity"] = Identity(user)
