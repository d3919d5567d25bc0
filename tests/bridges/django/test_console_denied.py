# Who wants more than he may, or than there can be: what he gets, and what the log says of it.

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import api_project
import pytest
from console_project import client_of
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django import _views

TARGET = "/residents/secretive"
RESTART = f"/greenroom/api/v1/actors{TARGET}/actions/restart"
TRIED = "from 127.0.0.1, wanted restart done without the permission greenroom.restart_actor"


@pytest.fixture
def server(rolled_back: None) -> Iterator[Any]:
    """
    A tree with something to restart.
    """
    with api_project.api_settings(), api_project.secrets_served() as server:
        yield server


def entries() -> int:
    """Return how many entries the audit log has."""
    from greenroom.bridges.django.models import AuditEntry

    return AuditEntry.objects.count()


def test_a_token(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    A token that is tried where it may not act is named in the log, not in the audit log.
    """
    reader = Client(headers={"authorization": f"Bearer {api_project.READER}"})
    answer = reader.post(RESTART, b"{}", content_type="application/json")
    assert answer.status_code == 403
    assert f"token reader, {TRIED}" in caplog.text
    assert api_project.READER not in caplog.text
    assert entries() == 0


def test_a_member_of_staff(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    Who posts a confirm page that he may not is named in one line of the log; who looks is not.
    """
    eve = client_of("eve\n", "view_tree")
    url = reverse("admin:greenroom_act", args=["restart"])
    asked = {"process": "host:1:1", "path": TARGET}
    assert eve.get(url, asked).status_code == 403
    assert TRIED not in caplog.text
    assert eve.post(url, asked).status_code == 403
    assert f"eve\\n, {TRIED}" in caplog.text
    assert entries() == 0


@pytest.mark.parametrize(("open_now", "status"), [(_views.MOST, 200), (_views.MOST + 1, 503)])
def test_a_very_large_tree(
    server: Any, monkeypatch: pytest.MonkeyPatch, open_now: int, status: int
) -> None:
    """
    The whole tree at once, which holds the loop up, is not given where it is very large.
    """
    root = SimpleNamespace(connections=SimpleNamespace(open=open_now))
    root.snapshot_blocking = server.root.snapshot
    monkeypatch.setattr(_views, "current_root", lambda: root)
    answer = client_of("ada", "view_tree").get("/greenroom/tree.json")
    assert answer.status_code == status
    assert ("Take the console, or the JSON API" in answer.content.decode()) == (status == 503)
