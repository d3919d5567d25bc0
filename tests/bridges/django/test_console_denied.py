# Who wants more than he may, or than there can be: what he gets, and what the log says of it.

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import api_project
import pytest
from console_project import client_of
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from greenroom.bridges.django import _views
from greenroom.bridges.django.console import _denied

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


def entries() -> list[Any]:
    """Return what the audit log has, the newest first."""
    from greenroom.bridges.django.models import AuditEntry

    return list(AuditEntry.objects.order_by("-pk"))


def test_a_token(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    SEEN: a token that is tried where it may not act is named in the log and in the audit log.
    """
    reader = Client(headers={"authorization": f"Bearer {api_project.READER}"})
    answer = reader.post(RESTART, b'{"process": "h:1:1"}', content_type="application/json")
    assert answer.status_code == 403
    assert f"token reader, {TRIED}" in caplog.text
    assert api_project.READER not in caplog.text
    [entry] = entries()
    assert (entry.outcome, entry.user_name, entry.user_key) == (
        "denied", "token reader", "token:reader",
    )  # fmt: skip
    assert (entry.action, entry.path, entry.process) == ("restart", TARGET, "h:1:1")
    assert entry.error == "without the permission greenroom.restart_actor"
    assert entry.address == "127.0.0.1"
    assert entry.finished is not None


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"path": "/x", "process": 5}', b"\xff"])
def test_whatever_the_body(server: Any, body: bytes) -> None:
    """
    SEEN: a body that can't be read, or is of the wrong types, changes nothing of the refusal.
    """
    reader = Client(headers={"authorization": f"Bearer {api_project.READER}"})
    answer = reader.post(RESTART, body, content_type="application/json")
    assert answer.status_code == 403
    [entry] = entries()
    assert (entry.path, entry.process) == (TARGET, "")


def test_a_member_of_staff(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    SEEN: who posts a confirm page that he may not is named in one line of the log, and in the
    audit log, in letters that every database takes; who looks is not.
    """
    eve = client_of("eve\n", "view_tree")
    url = reverse("admin:greenroom_act", args=["restart"])
    asked = {"process": "host:1:1", "path": f"{TARGET}\0\n" + "x" * 1000}
    assert eve.get(url, asked).status_code == 403
    assert TRIED not in caplog.text
    assert entries() == []
    assert eve.post(url, asked).status_code == 403
    assert f"eve\\n, {TRIED}" in caplog.text
    [entry] = entries()
    assert (entry.outcome, entry.user_name) == ("denied", "eve\n")
    assert entry.path.startswith(f"{TARGET}\\x00\\nxxx")
    assert len(entry.path) == 500
    assert entry.process == "host:1:1"


def test_a_user_to_be_disconnected(server: Any) -> None:
    """
    SEEN: where the action is for a user, the entry names him.
    """
    eve = client_of("eve", "view_tree")
    eve.post(reverse("admin:greenroom_act", args=["disconnect-user"]), {"user": "7"})
    [entry] = entries()
    assert (entry.action, entry.path) == ("disconnect-user", "user 7")


def test_who_may_not_even_look(server: Any) -> None:
    """
    SEEN: a member of staff who may not see the tree is denied by that, and stands there.
    """
    eve = client_of("eve", "restart_actor")
    url = reverse("admin:greenroom_act", args=["restart"])
    assert eve.post(url, {"path": TARGET}).status_code == 403
    [entry] = entries()
    assert (entry.action, entry.path) == ("restart", TARGET)
    assert entry.error == "without the permission greenroom.view_tree"
    assert eve.post(reverse("admin:greenroom_act", args=["fly"])).status_code == 403
    assert len(entries()) == 1


def test_bounded(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """
    BOUNDED: the same again within a minute is no other entry, though a line of the log each time;
    another action, and another user, has one of its own.
    """
    eve, bob = client_of("eve", "view_tree"), client_of("bob", "view_tree")
    for client, action, count in ((eve, "restart", 1), (eve, "stop", 2), (bob, "restart", 3)):
        for _ in range(3):
            assert client.post(reverse("admin:greenroom_act", args=[action])).status_code == 403
        assert len(entries()) == count
    assert caplog.text.count("nothing was done") == 9


NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "due"),
    [
        ([], True),
        ([("restart", 0)], False),
        ([("restart", 59)], False),
        ([("restart", 60)], True),
        ([("stop", 0)], True),
        ([("restart", -5)], False),
        ([("stop", 1800 + nth) for nth in range(_denied.MOST - 1)], True),
        ([("stop", 1800 + nth) for nth in range(_denied.MOST)], False),
    ],
)
def test_when_an_entry_is_due(told: list[tuple[str, int]], due: bool) -> None:
    """
    BOUNDED: one a minute of each action, and so many within the span in all; pure.
    """
    known = [(action, NOW - timedelta(seconds=ago)) for action, ago in told]
    assert _denied.is_due("restart", NOW, known) is due


def test_an_hour_later(server: Any) -> None:
    """
    BOUNDED: what is older than the span counts no more.
    """
    from greenroom.bridges.django.models import AuditEntry

    eve = client_of("eve", "view_tree")
    url = reverse("admin:greenroom_act", args=["restart"])
    eve.post(url)
    [first] = entries()
    many = [AuditEntry(at=first.at, user_key=first.user_key, action="stop", outcome="denied")]
    AuditEntry.objects.bulk_create(many * _denied.MOST)
    AuditEntry.objects.update(at=first.at - _denied.SPAN / 2)
    eve.post(url)
    assert len(entries()) == _denied.MOST + 1
    AuditEntry.objects.update(at=first.at - _denied.SPAN)
    eve.post(url)
    assert len(entries()) == _denied.MOST + 2


def test_no_other_answer(server: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """
    NO OTHER: where the audit log can't be written, the refusal is the same, and the log says so.
    """
    from greenroom.bridges.django.models import AuditEntry

    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(AuditEntry, "save", broken)
    eve = client_of("eve", "view_tree")
    assert eve.post(reverse("admin:greenroom_act", args=["restart"])).status_code == 403
    assert "was denied, which the audit log could not be told" in caplog.text
    assert "nothing was done" in caplog.text


def test_it_is_found(server: Any) -> None:
    """
    SEEN: the audit page has it, and finds what was denied alone; so does the API.
    """
    client_of("eve", "view_tree").post(reverse("admin:greenroom_act", args=["restart"]))
    auditor = client_of("ann", "view_tree", "view_audit")
    for outcome, there in (("denied", True), ("done", False), ("", True)):
        text = auditor.get(reverse("admin:greenroom_audit"), {"outcome": outcome}).content.decode()
        assert ("eve</a>" in text) is there
    found = auditor.get("/admin/greenroom/api/v1/audit", {"outcome": "denied"}).json()["entries"]
    assert [each["user"] for each in found] == ["eve"]
    assert auditor.get("/admin/greenroom/api/v1/audit", {"outcome": "x"}).json()["entries"] == []


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
