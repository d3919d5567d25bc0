# Actions by the JSON API.

import json
from collections.abc import Iterator
from typing import Any

import api_project
import pytest
from console_project import client_of
from django.test import Client

from greenroom.bridges.django.console._actions import ACTIONS

API = "/greenroom/api/v1/"
TARGET = "/residents/secretive"
RESTART = f"{API}actors{TARGET}/actions/restart"


@pytest.fixture
def server(rolled_back: None) -> Iterator[Any]:
    with api_project.api_settings(), api_project.secrets_served() as server:
        yield server


@pytest.fixture
def operator() -> Client:
    return Client(headers={"authorization": f"Bearer {api_project.OPERATOR}"})


@pytest.fixture
def process(server: Any, operator: Client) -> str:
    return operator.get(f"{API}processes").json()["answers"][0]["process"]["id"]


def post(client: Client, url: str, body: Any, kind: str = "application/json") -> Any:
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post(url, data, content_type=kind)


def entries() -> list[Any]:
    from greenroom.bridges.django.models import AuditEntry

    return list(AuditEntry.objects.order_by("pk"))


def epoch_of(server: Any) -> int:
    return server.root.snapshot().find(TARGET).epoch


@pytest.mark.parametrize("in_url", [True, False])
def test_a_restart(server: Any, operator: Client, process: str, in_url: bool) -> None:
    """
    A token with the permission restarts an actor, named in the URL or in the body.
    """
    before = epoch_of(server)
    body = {"process": process, "reason": "stuck since the import"}
    if in_url:
        response = post(operator, RESTART, body)
    else:
        response = post(operator, f"{API}actions/restart", {**body, "path": TARGET})

    assert response.status_code == 200, response.content
    assert response.json()["outcome"] == "done"
    assert response.json()["recorded"] is True
    assert epoch_of(server) == before + 1


def test_recorded(server: Any, operator: Client, process: str) -> None:
    """
    RECORDED: what a token does stands in the audit log under its name, and is an event.
    """
    post(operator, RESTART, {"process": process, "reason": "stuck"})
    (entry,) = entries()

    assert (entry.user_name, entry.user_key) == ("token operator", "token:operator")
    assert (entry.action, entry.path, entry.process) == ("restart", TARGET, process)
    assert (entry.outcome, entry.reason) == ("done", "stuck")
    event = server.assert_event("admin.action", path=TARGET)
    assert event.facts["by"] == "token operator"


def test_the_audit_log_as_data(server: Any, operator: Client, process: str) -> None:
    """
    The audit log is read with view_audit, the latest first, a page at a time.
    """
    for reason in ("one", "two", "three"):
        post(operator, RESTART, {"process": process, "reason": reason})
    auditor = client_of("ada", "view_audit")

    assert operator.get(f"{API}audit").status_code == 403
    page = auditor.get(f"{API}audit", {"limit": "2"}).json()
    assert [each["reason"] for each in page["entries"]] == ["three", "two"]
    rest = auditor.get(f"{API}audit", {"after": page["next"]}).json()
    assert [each["reason"] for each in rest["entries"]] == ["one"]
    assert rest["next"] is None
    assert auditor.get(f"{API}audit", {"action": "stop"}).json()["entries"] == []
    assert len(auditor.get(f"{API}audit", {"user": "token operator"}).json()["entries"]) == 3
    for wrong in ({"limit": "0"}, {"limit": "501"}, {"after": "x"}, {"by": "ada"}):
        assert auditor.get(f"{API}audit", wrong).status_code == 400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b" ", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 413),
        (b"[" * 60_000, "application/json", 400),
        ({"process": "x", "now": True}, "application/json", 400),
        ({"process": 7}, "application/json", 400),
        ({"process": "x", "arguments": []}, "application/json", 400),
        ({"process": "x", "path": "/residents/busy"}, "application/json", 400),
        ({"process": "x", "user": "ada"}, "application/json", 400),
        ({"process": "x", "reason": "y" * 501}, "application/json", 400),
        ({"process": "x", "reason": "a\0b"}, "application/json", 400),
        ({"process": "x\0"}, "application/json", 400),
        ({"process": "\ud800"}, "application/json", 400),
        ({"process": "x", "arguments": {"epoch": [[1]]}}, "application/json", 400),
        ({"process": "x", "arguments": {"epoch": {"a": {}}}}, "application/json", 400),
        ({"process": "x", "arguments": {"epoch": float("nan")}}, "application/json", 400),
        ({"process": "x", "arguments": {"epoch": 2**64}}, "application/json", 400),
        ({"process": "x", "arguments": {"epoch": "a\0"}}, "application/json", 400),
        ({"process": "x", "arguments": {"\ud800": 1}}, "application/json", 400),
        ({"process": "x", "arguments": {"y" * 501: 1}}, "application/json", 400),
        ({"process": "x", "arguments": {str(i): i for i in range(21)}}, "application/json", 400),
        (
            b'{"process":"x","arguments":' + b'{"a":' * 900 + b"1" + b"}" * 901,
            "application/json",
            400,
        ),
        ({"process": "x"}, "text/plain", 415),
        ({"process": "x"}, "application/x-www-form-urlencoded", 415),
    ],
)
def test_strict(server: Any, operator: Client, body: Any, kind: str, status: int) -> None:
    """
    STRICT: a body that is wrong has nothing done, and nothing is written.
    """
    before = epoch_of(server)
    response = post(operator, RESTART, body, kind)

    assert response.status_code == status, response.content
    assert response.json()["error"]["text"]
    assert epoch_of(server) == before
    assert entries() == []


def test_addressed(server: Any, operator: Client) -> None:
    """
    ADDRESSED: an action for one process names it; one that has gone is told of.
    """
    without = post(operator, RESTART, {})
    assert (without.status_code, without.json()["error"]["code"]) == (400, "bad-question")
    gone = post(operator, RESTART, {"process": "nobody:1:1"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not-found")
    assert "no such process" in gone.json()["error"]["text"]


def test_an_argument_that_is_wrong(server: Any, operator: Client, process: str) -> None:
    """
    An argument that the action does not know is refused, as a bad question, and that is recorded.
    """
    response = post(operator, RESTART, {"process": process, "arguments": {"hard": True}})

    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad-question")
    assert [each.outcome for each in entries()] == ["refused"]


def test_a_place_that_is_not_there(server: Any, operator: Client, process: str) -> None:
    """
    An action on what is not there is 404.
    """
    url = f"{API}actors/residents/nobody/actions/restart"

    assert post(operator, url, {"process": process}).status_code == 404


def test_without_the_permission(server: Any, process: str) -> None:
    """
    Who may read may not act, and who may restart may not stop; nothing is done, and
    nothing else written than that.
    """
    reader = Client(headers={"authorization": f"Bearer {api_project.READER}"})
    operator = Client(headers={"authorization": f"Bearer {api_project.OPERATOR}"})
    before = epoch_of(server)

    assert post(reader, RESTART, {"process": process}).status_code == 403
    stop = RESTART.replace("restart", "stop")
    assert post(operator, stop, {"process": process}).status_code == 403
    assert post(operator, f"{API}actions/explode", {}).status_code == 404
    assert epoch_of(server) == before
    assert [entry.outcome for entry in entries()] == ["denied", "denied"]


def test_a_session_acts_with_the_csrf_token(server: Any, process: str) -> None:
    """
    A member of staff acts from a page of the site, below the admin as well.
    """
    client = client_of("ada", "view_tree", "restart_actor")
    client.handler.enforce_csrf_checks = True
    client.cookies["csrftoken"] = "x" * 32
    for url in (RESTART, RESTART.replace("/greenroom/", "/admin/greenroom/", 1)):
        body = json.dumps({"process": process})
        kind = "application/json"
        assert client.post(url, body, content_type=kind).status_code == 403
        headers = {"X-CSRFToken": "x" * 32}
        done = client.post(url, body, content_type=kind, headers=headers)
        assert (done.status_code, done.json()["outcome"]) == (200, "done")
    assert [each.user_name for each in entries()] == ["ada", "ada"]


def test_what_can_be_done(server: Any, operator: Client) -> None:
    """
    The list of actions names each with its arguments and whether one may.
    """
    listed = {each["name"]: each for each in operator.get(f"{API}actions").json()["actions"]}

    assert set(listed) == set(ACTIONS)
    assert listed["restart"]["allowed"] is True
    assert listed["drain"]["allowed"] is False
    assert [each["name"] for each in listed["disconnect"]["arguments"]] == ["code", "text"]
