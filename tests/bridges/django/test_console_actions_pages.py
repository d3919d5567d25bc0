# Actions as pages, with Django's test client on a tree that runs in this process.

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from console_project import Clerk, Room, client_of
from django.db import connection
from django.test import Client, override_settings
from django.urls import resolve, reverse

from greenroom.actors import Actor
from greenroom.bridges.django import Greenroom, path
from greenroom.bridges.django.console._actions import ACTIONS
from greenroom.bridges.django.models import AuditEntry
from greenroom.bridges.inspection._identity import this_process
from greenroom.bridges.testing import run_server

CLERK = "/residents/clerk"
VERBS = ("get", "head", "post", "put", "patch", "delete", "options")


class Idle(Actor):
    """Does nothing."""


@pytest.fixture
def server(console: None) -> Iterator[Any]:
    """
    A tree with residents and a route.
    """
    application = Greenroom(websocket=[path("room/", Room)], children=[Clerk, Idle])
    with run_server(application, crashes="allow") as server:
        yield server


@pytest.fixture
def boss(console: None) -> Client:
    """
    Somebody who may do everything.
    """
    return client_of("boss", superuser=True)


def here() -> str:
    """The id of this process, as the tree in it has it."""
    from greenroom.bridges.django.console._ask import ask

    [answer] = ask({"ask": "act", "action": "drain", "preview": True}).answers
    assert answer.pid == this_process().pid
    return answer.id


def url(action: str) -> str:
    """The URL of an action."""
    return reverse("admin:greenroom_act", args=[action])


def post(client: Client, action: str, **data: Any) -> tuple[Any, str]:
    """Have something done; return the answer, and what the next page says of it."""
    answer: Any = client.post(url(action), data)
    if answer.status_code != 302:
        return answer, ""
    text = client.get("/admin/").content.decode()
    told = re.search(r'<ul class="messagelist">(.*?)</ul>', text, re.DOTALL)
    return answer, unescape(re.sub(r"<[^>]+>", "", told[1])).strip() if told else ""


def epoch(server: Any, path: str) -> int:
    """In which incarnation the actor at *path* is."""
    return server.root.snapshot().find(path).epoch


# -- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_strangers(console: None, action: str) -> None:
    """
    A stranger, and who is no member of staff, is sent to the login page by every method.
    """
    permission = ACTIONS[action].permission
    for client in (Client(), client_of("eve", "view_tree", permission, staff=False)):
        for method in VERBS:
            answer: Any = getattr(client, method)(url(action))
            assert answer.status_code == 302, method
            assert answer.url.startswith("/admin/login/?next="), method


@pytest.mark.parametrize("action", ACTIONS)
def test_own_right(server: Any, action: str) -> None:
    """
    OWN RIGHT: all other permissions together are not the one that an action needs.
    """
    from greenroom.bridges.django.models import Console

    needed = ACTIONS[action].permission
    others = [codename for codename, _ in Console._meta.permissions if codename != needed]
    eve = client_of("eve", *others)
    data = {"process": here(), "path": CLERK, "user": "1"}
    for method in ("get", "post"):
        answer = getattr(eve, method)(url(action), data)
        assert answer.status_code == 403, method
        assert f"greenroom.{needed}" in answer.content.decode()
    assert epoch(server, CLERK) == 1
    assert [entry.outcome for entry in AuditEntry.objects.all()] == ["denied"]


def test_only_get_and_post(boss: Client) -> None:
    """
    Another method is refused, also to who may do everything.
    """
    for method in ("put", "patch", "delete", "options"):
        assert getattr(boss, method)(url("restart")).status_code == 405


def test_no_post_without_a_token(server: Any, boss: Client) -> None:
    """
    A POST from another page, which has no CSRF token, does nothing.
    """
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    data = {"process": here(), "path": CLERK}
    assert strict.post(url("restart"), data).status_code == 403
    assert epoch(server, CLERK) == 1
    page = strict.get(url("restart"), data).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    answer = strict.post(url("restart"), {**data, "csrfmiddlewaretoken": token[1]})
    assert answer.status_code == 302
    assert epoch(server, CLERK) == 2


def test_an_unknown_action(boss: Client) -> None:
    """
    There is no page of an action that nobody has thought of.
    """
    assert boss.get(url("explode")).status_code == 404


# -- what will happen ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_asked(server: Any, boss: Client, action: str) -> None:
    """
    ASKED: a GET, with whatever in its query, changes nothing and writes nothing.
    """
    with server.websocket("/room/"):
        before = server.root.events.counts()
        for path in (CLERK, "/connections/room/1", "/connections/room", "/residents", "/"):
            query = {"process": here(), "path": path, "user": "1", "reason": "x", "seconds": "5"}
            answer = boss.get(url(action), query)
            assert answer.status_code == 200
            assert boss.head(url(action), query).status_code == 200
        after = server.root.events.counts()
    changes = ("admin.action", "slot.restarting", "slot.suspended", "slot.ended", "trace.began")
    assert [after[kind] - before[kind] for kind in changes] == [0] * len(changes)
    assert AuditEntry.objects.count() == 0


def test_the_confirm_page(server: Any, boss: Client) -> None:
    """
    The page says what will happen, what is kept and lost, and how much it reaches.
    """
    with server.websocket("/room/"), server.websocket("/room/"):
        query = {"process": here(), "path": "/connections"}
        text = boss.get(url("disconnect-path"), query).content.decode()
    assert "What will happen" in text
    assert "2 connections" in text
    assert "/connections/room/1" in text
    assert "Is lost" in text
    assert '<form method="post"' in text
    assert 'name="reason"' in text
    assert 'name="code" value="1012"' in text
    assert "<script>" not in text.partition('id="content"')[2]


def test_a_path_is_text(server: Any, boss: Client) -> None:
    """
    What stands in the query becomes text on the page, and a place that is not there says so.
    """
    query = {"process": here(), "path": "/residents/<script>alert(1)</script>", "next": '"><b>'}
    answer = boss.get(url("restart"), query)
    text = answer.content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert '"><b>' not in text
    assert 'id="gr-act"' not in text  # nothing to be done


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "which process"),
        ({"process": "nobody:1:2", "path": CLERK}, "No such process"),
        ({"process": "x" * 600, "path": "y" * 2000}, ""),
        ({"process": "\0", "path": "\0"}, ""),
    ],
)
def test_odd_queries(server: Any, boss: Client, query: dict[str, str], said: str) -> None:
    """
    Who asks for what is not there gets a page that says so, and no form.
    """
    answer = boss.get(url("restart"), query)
    assert answer.status_code in (200, 400)
    text = answer.content.decode()
    assert said in text
    assert 'id="gr-act"' not in text


# -- what is done ------------------------------------------------------------------------------


def test_restart(server: Any, boss: Client) -> None:
    """
    A POST restarts the actor, says so on the next page, and stands in the audit log.
    """
    data = {"process": here(), "path": CLERK, "reason": "stuck"}
    answer, told = post(boss, "restart", **data)
    assert answer.url.startswith(reverse("admin:greenroom_actor"))
    assert told == f"Restart, {CLERK}: done, 1 touched."
    assert epoch(server, CLERK) == 2
    row = AuditEntry.objects.get()
    assert (row.outcome, row.user_name, row.reason) == ("done", "boss", "stuck")
    assert row.address == "127.0.0.1"
    [event] = server.root.events.recent(10, "admin.action")
    assert (event.facts["by"], event.facts["reason"]) == ("boss", "stuck")


def test_a_refusal(server: Any, boss: Client) -> None:
    """
    What the tree refuses is told with its reason, and is in the log as refused.
    """
    _, told = post(boss, "stop", process=here(), path="/residents")
    assert "refused" in told
    assert "drain" in told
    row = AuditEntry.objects.get()
    assert row.outcome == "refused"
    assert "drain" in row.error


def test_a_process_that_has_gone(server: Any, boss: Client) -> None:
    """
    What was asked of a process that is not there any more has failed, and is in the log.
    """
    _, told = post(boss, "restart", process="elsewhere:1:2", path=CLERK)
    assert "no such process" in told
    assert AuditEntry.objects.get().outcome == "failed"
    assert epoch(server, CLERK) == 1


def test_a_mistake_in_the_form(server: Any, boss: Client) -> None:
    """
    A form with a mistake comes back with the mistake marked, and nothing is done.
    """
    answer, _ = post(boss, "suspend", process=here(), path=CLERK, seconds="-1")
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Nothing was done yet" in text
    assert 'value="-1"' in text
    assert f'value="{CLERK}"' in text
    assert AuditEntry.objects.count() == 0


def test_every_action_in_turn(server: Any, boss: Client) -> None:
    """
    Each action on an actor is done, one after the other, by its page.
    """
    process = here()
    steps = [
        ("suspend", {"seconds": "600"}), ("resume", {}), ("trace", {"seconds": "60"}),
        ("untrace", {}), ("restart", {}), ("reset-budget", {}), ("stop", {}), ("start", {}),
    ]  # fmt: skip
    for action, data in steps:
        _, told = post(boss, action, process=process, path=CLERK, **data)
        assert ": done, 1 touched." in told, action
    assert [row.action for row in AuditEntry.objects.order_by("pk")] == [name for name, _ in steps]
    assert {row.outcome for row in AuditEntry.objects.all()} == {"done"}


def test_disconnect(server: Any, boss: Client) -> None:
    """
    A connection is ended with the code of the form, and what the page goes back to is the list.
    """
    with server.websocket("/room/") as socket:
        data = {"path": "/connections/room/1", "code": "4403", "text": "go away"}
        answer, told = post(boss, "disconnect", process=here(), **data)
        assert "done" in told
        assert answer.url == reverse("admin:greenroom_connections")
        closed = socket.closed()
        assert (closed.code, closed.reason) == (4403, "go away")


def test_disconnect_a_user(server: Any, boss: Client) -> None:
    """
    All connections of a user end, also one of whom nobody has asked yet whose it is.
    """
    from django.contrib.auth.models import User
    from django_sessions import cookie, log_in, make_user

    bob = make_user("bob")
    key = log_in(bob)
    page = boss.get(url("disconnect-user"), {"user": str(bob.pk)}).content.decode()
    assert "bob" in page
    with (
        server.websocket("/room/", headers=cookie(key)) as his,
        server.websocket("/room/") as other,
    ):
        other.send_text("hi")
        assert other.receive_text() == "hi"
        answer, told = post(boss, "disconnect-user", user=str(bob.pk), reason="stolen")
        assert told == f"Disconnect user, user {bob.pk}: done, 1 touched."
        assert answer.url == reverse("admin:greenroom_connections")
        assert his.closed().code == 4401
        other.send_text("still here")
        assert other.receive_text() == "still here"
    row = AuditEntry.objects.get()
    assert (row.action, row.path, row.reason) == ("disconnect-user", f"user {bob.pk}", "stolen")
    assert User.objects.filter(pk=bob.pk).exists()


def test_drain_is_refused_here(server: Any, boss: Client) -> None:
    """
    A process below no server of ours can't be drained, which its page says before, and the post.
    """
    text = boss.get(url("drain"), {"process": here()}).content.decode()
    assert "will be refused" in text
    _, told = post(boss, "drain", process=here())
    assert "refused" in told
    assert server.root.up


@pytest.mark.parametrize(
    ("wanted", "followed"),
    [
        ("/admin/greenroom/events/?x=1", True),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_no_lure(server: Any, boss: Client, wanted: str, followed: bool) -> None:
    """
    NO LURE: it goes back to where the form says only if that is a page of this site.
    """
    answer, _ = post(boss, "reset-budget", process=here(), path="/residents", next=wanted)
    assert (answer.url == wanted) is followed
    assert answer.url.startswith("/admin/greenroom/")


def test_each_entry_is_there_at_once(server: Any, boss: Client) -> None:
    """
    Below ATOMIC_REQUESTS, too, the log is written before the action and not with the response.
    """
    view: Any = resolve(url("restart")).func
    assert "default" in view._non_atomic_requests


def test_before_the_migration(server: Any, boss: Client) -> None:
    """
    Without the tables the pages read, and an action is refused with what to do; nothing is done.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {AuditEntry._meta.db_table} RENAME TO elsewhere")
    data = {"process": here(), "path": CLERK}
    assert boss.get(reverse("admin:greenroom_tree")).status_code == 200
    text = boss.get(url("restart"), data).content.decode()
    assert "manage.py migrate greenroom" in text
    assert 'id="gr-act"' not in text
    _, told = post(boss, "restart", **data)
    assert told.startswith("Nothing was done")
    assert "manage.py migrate greenroom" in told
    assert epoch(server, CLERK) == 1


@override_settings(GREENROOM={"INSPECTION": False})
def test_without_inspection(console: None, boss: Client) -> None:
    """
    Where no process answers, an action has nobody to be asked of, and says so.
    """
    text = boss.get(url("restart"), {"process": "x:1:2", "path": CLERK}).content.decode()
    assert "No such process" in text
