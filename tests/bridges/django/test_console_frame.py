# Where one is: the breadcrumbs, the console's navigation, and the admin's sidebar.

import re
from collections.abc import Iterator
from typing import Any

import django
import pytest
from console_project import PAGES, client_of, console_settings
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django.console import _frame

ALL = (*PAGES, "greenroom_audit")


@pytest.fixture
def boss(rolled_back: None) -> Iterator[Client]:
    """
    Somebody who may do everything, in a project that nobody serves.
    """
    with console_settings():
        yield client_of("boss", superuser=True)


def part(text: str, begin: str, end: str) -> str:
    """What stands between two texts."""
    return text.partition(begin)[2].partition(end)[0]


def marks(text: str) -> list[tuple[str, str]]:
    """The links that are marked, and as what."""
    return re.findall(r'<a href="([^"]*)" aria-current="(\w+)"', text)


@pytest.mark.parametrize("name", ALL)
def test_the_way_here(boss: Client, name: str) -> None:
    """
    The breadcrumbs of each page lead to the admin and to Greenroom, and end with the page.
    """
    crumbs = part(
        boss.get(reverse(f"admin:{name}")).content.decode(), 'class="breadcrumbs"', "</nav"
    )
    assert re.findall(r'<a href="([^"]*)">([^<]*)</a>', crumbs) == [
        ("/admin/", "Home"),
        ("/admin/greenroom/", "Greenroom"),
    ]
    assert crumbs.count('aria-current="page"') == 1
    assert ("<li" in crumbs) == (django.VERSION >= (6, 1))


@pytest.mark.parametrize("name", ALL)
def test_the_navigation(boss: Client, name: str) -> None:
    """
    Of the console's navigation the page itself is marked, or the one that it belongs to.
    """
    url = reverse(f"admin:{name}")
    nav = part(boss.get(url).content.decode(), '<nav class="gr-nav"', "</nav>")
    known = name != "greenroom_actor"
    assert marks(nav) == ([(url, "page")] if known else [("/admin/greenroom/", "true")])


@pytest.mark.parametrize(
    ("action", "page"),
    [("restart", "tree"), ("drain", "processes"), ("disconnect-user", "connections")],
)
def test_the_navigation_of_actions(boss: Client, action: str, page: str) -> None:
    """
    The page that asks before an action belongs to what it acts on.
    """
    text = boss.get(reverse("admin:greenroom_act", args=[action])).content.decode()
    nav = part(text, '<nav class="gr-nav"', "</nav>")
    assert marks(nav) == [(reverse(f"admin:greenroom_{page}"), "true")]


@pytest.mark.parametrize("name", ALL)
def test_the_sidebar(boss: Client, name: str) -> None:
    """
    Of the admin's sidebar only the entry of the page itself is marked, and all lead where they did.
    """
    url = reverse(f"admin:{name}")
    sidebar = part(boss.get(url).content.decode(), 'id="nav-sidebar"', "</nav>")
    entry = name in ("greenroom_tree", "greenroom_audit")
    assert marks(sidebar) == ([(url, "page")] if entry else [])
    assert sidebar.count("current-model") == len(marks(sidebar))
    assert "app-greenroom module current-app" in sidebar
    links = {link.rstrip("?") for link in re.findall(r'href="([^"]*greenroom[^"]*)"', sidebar)}
    assert links == {"/admin/greenroom/", "/admin/greenroom/audit/"}


def test_refused(boss: Client) -> None:
    """
    A page that says who may not see it has the same breadcrumbs, and marks no other page.
    """
    text = client_of("eve", "view_tree").get(reverse("admin:greenroom_audit")).content.decode()
    assert '<a href="/admin/greenroom/">Greenroom</a>' in part(text, 'class="breadcrumbs"', "</nav")
    assert marks(part(text, 'id="nav-sidebar"', "</nav>")) == []


def test_the_site_s_list_stays() -> None:
    """
    What the site says of its apps is not changed, and what others have is left alone.
    """
    ours: dict[str, Any] = {"app_label": "greenroom", "models": [{"admin_url": "/a/"}, {}]}
    other: dict[str, Any] = {"app_label": "auth", "models": [{"admin_url": "/auth/"}]}
    found = _frame.marked_once([ours, other], "/a/b/")
    assert found == [
        {"app_label": "greenroom", "models": [{"admin_url": "/a/?"}, {}]},
        {"app_label": "auth", "models": [{"admin_url": "/auth/"}]},
    ]
    assert ours["models"][0]["admin_url"] == "/a/"
