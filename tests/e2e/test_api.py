# The JSON API, health and metrics of real workers: curl's view of them, and one that stands still.

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.slow

READER = "a-token-of-the-readers-1234"
OPTIONS = json.dumps(
    {
        "INSPECTION_TOKENS": {
            "reader": {"token": READER},
            "operator": {
                "token": READER[::-1],
                "permissions": ["view_tree", "view_audit", "disconnect_user", "restart_actor"],
            },
        }
    }
)
API = "/greenroom/api/v1/"


def ask(
    server: Any, path: str, token: str = READER, body: Any = None
) -> tuple[int, dict[str, Any]]:
    """Ask as a script does; return the status and what the JSON says."""
    status, text = fetch(server, path, token, body)
    return status, json.loads(text)


def fetch(server: Any, path: str, token: str = READER, body: Any = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://{server.host}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def workers(serve: Callable[..., Any], until: Callable[..., Any]) -> Iterator[Any]:
    """
    Two workers, both of which answer.
    """
    options = {"GREENROOM_TEST_OPTIONS": OPTIONS}
    with serve("mysite.asgi:application", "-w", "2", **options) as server:
        until(lambda: ask(server, f"{API}processes?seconds=5")[1].get("answered") == 2)
        yield server


def test_every_worker_answers_and_a_stuck_one_is_named(workers: Any) -> None:
    """
    Whichever worker a request lands in, all answer; one that is stopped is named as silent, in the
    API and in the metrics, and a page of the other's tree is there all the same.
    """
    status, both = ask(workers, f"{API}tree?path=/residents&seconds=5")
    assert (status, both["asked"], both["complete"]) == (200, 2, True)
    for each in both["answers"]:
        assert [row["path"] for row in each["answer"]["rows"]] == ["/residents/counter"]
    families = figures(workers)
    assert sorted(families["greenroom_process_up"].values()) == [1, 1]

    stuck = both["answers"][0]["process"]["pid"]
    os.kill(stuck, signal.SIGSTOP)
    try:
        # A request that lands in the stopped worker itself waits until it goes on.
        status, one = until_answered(workers, f"{API}tree")
        assert (status, one["answered"], one["complete"]) == (200, 1, False)
        (silent,) = [each for each in one["answers"] if "silent" in each]
        assert silent["process"]["pid"] == stuck
        assert silent["silent"].startswith("no answer within 1 s")
        families = figures(workers)
        assert families["greenroom_process_up"][str(stuck)] == 0
        assert list(families["greenroom_ready"]) != [str(stuck)]
    finally:
        os.kill(stuck, signal.SIGCONT)


def until_answered(server: Any, path: str) -> tuple[int, dict[str, Any]]:
    """Ask until a worker that runs has taken the request."""
    for _ in range(20):
        request = urllib.request.Request(
            f"http://{server.host}{path}", headers={"Authorization": f"Bearer {READER}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except TimeoutError:
            continue
    raise AssertionError("no worker took the request")


def figures(server: Any) -> dict[str, dict[str, float]]:
    """What Prometheus would read: by name, the value of each pid."""
    for _ in range(20):
        request = urllib.request.Request(
            f"http://{server.host}/greenroom/metrics",
            headers={"Authorization": f"Bearer {READER}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                text = answer.read().decode()
                break
        except TimeoutError:
            continue
    else:
        raise AssertionError("no worker took the scrape")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "pid" in sample.labels:
                found.setdefault(sample.name, {})[sample.labels["pid"]] = sample.value
    return found


def test_health(serve: Callable[..., Any]) -> None:
    """
    Alive and ready without a token; with one, why not; and not ready once the root is down.
    """
    with serve(GREENROOM_TEST_OPTIONS=OPTIONS) as server:
        for name in ("live", "ready"):
            path = f"/greenroom/health/{name}"
            assert ask(server, path, token="") == (200, {"status": "ok"})
            assert ask(server, path) == (200, {"status": "ok", "problems": []})
            assert ask(server, path, token="no-token-of-this-server")[0] == 401


def test_health_without_a_tree(serve: Callable[..., Any]) -> None:
    """
    Where another server serves the project's views, health says that no tree runs here.
    """
    with serve("mysite.http:application", GREENROOM_TEST_OPTIONS=OPTIONS) as server:
        status, told = ask(server, "/greenroom/health/ready", token="")

    assert (status, told["status"]) == (503, "not ready")
    assert "no Greenroom runs in this process" in told["problems"][0]


def test_an_action_by_a_token(serve: Callable[..., Any]) -> None:
    """
    A script restarts an actor, and finds that in the audit log under its token's name, above what
    another token was denied.
    """
    operator = READER[::-1]
    with serve(GREENROOM_TEST_OPTIONS=OPTIONS) as server:
        process = ask(server, f"{API}processes")[1]["answers"][0]["process"]["id"]
        url = f"{API}actors/residents/counter/actions/restart"
        body = {"process": process, "reason": "a test"}
        assert ask(server, url, READER, body)[0] == 403
        status, told = ask(server, url, operator, body)
        assert (status, told["outcome"]) == (200, "done"), server.output
        entries = ask(server, f"{API}audit", operator)[1]["entries"]
        row = ask(server, f"{API}actors/residents/counter")[1]["answers"][0]["answer"]["row"]

    assert [(each["user"], each["action"], each["outcome"]) for each in entries] == [
        ("token operator", "restart", "done"),
        ("token reader", "restart", "denied"),
    ]
    assert row["epoch"] == 2


def test_strangers_at_the_real_door(serve: Callable[..., Any]) -> None:
    """
    What Greenroom serves itself, in place of Django's view, is closed as well: the console's feed.
    """
    with serve(GREENROOM_TEST_OPTIONS=OPTIONS) as server:
        for token in ("", READER):  # a token means nothing below the admin
            for path in ("/admin/greenroom/feed/", "/admin/greenroom/api/v1/tree"):
                status, text = fetch(server, path, token)
                assert (status, "Log in" in text) == (200, True) or status in (302, 403), path
                assert "/residents" not in text
