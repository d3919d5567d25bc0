# What stands beside the admin's URLs, for sessions: no way round what an admin site asks for.

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import api_project
import pytest
from console_project import client_of
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django import _views
from greenroom.bridges.django.console import _mounted
from greenroom.bridges.django.console._site import hook

BESIDE = ("/greenroom/api/v1/tree", "/greenroom/metrics", "/greenroom/tree.json")


class TwoFactors(AdminSite):
    """Lets in only who has shown a second factor."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and "second" in request.session


@pytest.fixture
def sites(rolled_back: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[AdminSite]]:
    """
    A project whose only admin site asks for a second factor.
    """
    hook()
    with api_project.api_settings(), api_project.secrets_served() as server:
        root = SimpleNamespace(connections=SimpleNamespace(open=1))
        root.snapshot_blocking = server.root.snapshot
        monkeypatch.setattr(_views, "current_root", lambda: root)
        reverse("admin:index")  # the project's own URLs are there now, and forgotten here
        monkeypatch.setattr(_mounted, "_sites", WeakSet())
        yield [TwoFactors(name="two")]


def answers(client: Client) -> set[int]:
    """Return the statuses of what stands beside the admin."""
    return {client.get(url).status_code for url in BESIDE}


def test_no_way_round(sites: list[AdminSite]) -> None:
    """
    NO WAY ROUND: who may see the tree, and is kept out by every admin site, gets 403 beside them.
    """
    ada = client_of("ada", "view_tree")
    assert answers(ada) == {200}  # no site is in the URLs
    sites[0].get_urls()
    assert answers(ada) == {403}
    session: Any = ada.session
    session["second"] = True
    session.save()
    assert answers(ada) == {200}


def test_one_of_several(sites: list[AdminSite]) -> None:
    """
    Whom one of several sites lets in is let in; a token is asked for nothing else.
    """
    sites[0].get_urls()
    reader = Client(headers={"authorization": f"Bearer {api_project.READER}"})
    assert reader.get(BESIDE[0]).status_code == 200
    sites.append(AdminSite(name="one"))
    sites[1].get_urls()
    assert answers(client_of("ada", "view_tree")) == {200}
