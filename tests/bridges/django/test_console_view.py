# Who may see a page of the console, and by which methods; and what is kept of it.

from io import BytesIO
from typing import Any

import pytest
from console_project import PAGES, client_of
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.test import Client, override_settings
from django.urls import resolve, reverse

pytestmark = pytest.mark.usefixtures("console")


@pytest.mark.parametrize("name", PAGES)
def test_login(name: str) -> None:
    """
    LOGIN: a stranger, and who is no member of staff, is sent to the login page.
    """
    url = reverse(f"admin:{name}")
    for client in (Client(), client_of("ada", "view_tree", staff=False)):
        answer: Any = client.get(url)
        assert answer.status_code == 302
        assert answer.url == f"/admin/login/?next={url}"


@pytest.mark.parametrize("name", PAGES)
def test_permitted(name: str) -> None:
    """
    PERMITTED: a member of staff without the permission gets 403 by every method, and is told why.
    """
    client = client_of("ada")
    url = reverse(f"admin:{name}")
    for method in ("get", "head", "post", "put", "patch", "delete", "options"):
        assert getattr(client, method)(url).status_code == 403, method
    assert "greenroom.view_tree" in client.get(url).content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_methods(name: str) -> None:
    """
    METHODS: who may see a page gets it by GET and HEAD, and nothing by another method.
    """
    client = client_of("ada", "view_tree")
    url = reverse(f"admin:{name}")
    assert client.head(url).status_code in (200, 404)
    for method in ("post", "put", "patch", "delete", "options"):
        answer = getattr(client, method)(url)
        assert answer.status_code == 405, method
        assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("name", PAGES)
def test_unstored(name: str) -> None:
    """
    UNSTORED: neither a page nor a refusal is kept by a browser.
    """
    url = reverse(f"admin:{name}")
    for client in (client_of("ada", "view_tree"), client_of("bob")):
        assert "no-store" in client.get(url)["Cache-Control"]


@pytest.mark.parametrize(("setting", "wanted"), [("DENY", "DENY"), ("SAMEORIGIN", "SAMEORIGIN")])
def test_unframed(setting: str, wanted: str) -> None:
    """
    UNFRAMED: no page, of those that act least of all, is shown within another site's; the project
    has no middleware for that.
    """
    client = client_of("ada", "view_tree", "view_audit", "restart_actor")
    urls = [reverse(f"admin:{name}") for name in (*PAGES, "greenroom_audit")]
    with override_settings(X_FRAME_OPTIONS=setting):
        for url in (*urls, reverse("admin:greenroom_act", args=["restart"])):
            assert client.get(url)["X-Frame-Options"] == wanted, url


@pytest.mark.parametrize(("version", "close"), [("1.1", True), ("1.0", True), ("2", False)])
@pytest.mark.parametrize("who", ["view_tree", "view_audit"])
def test_let_go(who: str, version: str, close: bool) -> None:
    """
    LET GO: behind a page, and behind a refusal, the connection is ended, where that is said by a
    header; another server than an ASGI one is left alone.
    """
    client = client_of("ada", who)
    view: Any = resolve(reverse("admin:greenroom_tree")).func
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "http_version": version}
    request: Any = ASGIRequest(scope, BytesIO())
    request.session, request.user = client.session, get_user_model().objects.get(username="ada")
    answer = view(request)
    assert answer.status_code == (200 if who == "view_tree" else 403)
    assert answer.get("Connection") == ("close" if close else None)
    assert "Connection" not in client.get(reverse("admin:greenroom_tree"))


def test_nobody_answers() -> None:
    """
    Where no worker runs each page says so, with what to check, and the directory that is looked in.
    """
    client = client_of("ada", "view_tree")
    for name in PAGES:
        text = client.get(reverse(f"admin:{name}")).content.decode()
        assert "No worker process of this project can be reached." in text, name
        assert "INSPECTION_DIR" in text
        assert "/greenroom-" in text


def test_switched_off() -> None:
    """
    Where the setting says that nobody answers, the page says which setting that is.
    """
    with override_settings(GREENROOM={"INSPECTION": False}):
        text = client_of("ada", "view_tree").get(reverse("admin:greenroom_tree")).content.decode()
    assert "INSPECTION&quot;] is False in the settings" in text


def test_its_place_in_the_navigation() -> None:
    """
    Every page links to all that the user may see, and marks where one is.
    """
    plain, auditor = client_of("ada", "view_tree"), client_of("bob", "view_tree", "view_audit")
    text = plain.get(reverse("admin:greenroom_threads")).content.decode()
    for name in PAGES:
        if name != "greenroom_actor":
            assert f'href="{reverse(f"admin:{name}")}"' in text
    assert f'href="{reverse("admin:greenroom_threads")}" aria-current="page"' in text
    audit = f'href="{reverse("admin:greenroom_audit")}"'
    assert audit not in text
    assert audit in auditor.get(reverse("admin:greenroom_threads")).content.decode()
