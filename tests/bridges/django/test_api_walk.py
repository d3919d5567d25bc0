# Every URL that Greenroom has in a project, found by Django's own resolver: who is let in by which
# method, what that changes, and what he gets to see.

import json
import re
from collections.abc import Iterator
from typing import Any

import api_project
import pytest
from console_project import client_of
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver

PREFIXES = ("admin/greenroom/", "greenroom/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "GETS")
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
SAMPLES = {
    "path": "residents/secretive",
    "action": "restart",
    "app_label": "greenroom",
    "rest": "v9/tree",
}
OPEN_TO_ALL = {"/greenroom/health/live", "/greenroom/health/ready"}
BY_TOKEN = re.compile(r"/greenroom/(api/|metrics)")
SECRETS_OF_NO_PAGE = (api_project.BODY, api_project.STATE)
SECRETS_WITH_LEAVE = (api_project.SOURCE, api_project.SHOWN, api_project.RAISED)
TARGET = "/residents/secretive"


def leaves(patterns: Any, route: str = "") -> Iterator[str]:
    """Yield the whole route of each view."""
    for each in patterns:
        here = route + str(each.pattern).removeprefix("^")
        if isinstance(each, URLPattern):
            yield here
        else:
            yield from leaves(each.url_patterns, here)


def urls() -> list[str]:
    """A URL for each view that Greenroom has in the project."""
    found: list[str] = []
    for route in leaves(get_resolver().url_patterns):
        if route.startswith(PREFIXES):
            url = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: SAMPLES[match[1]], route)
            url = re.sub(r"\(\?P<\w+>(\w+)\)", r"\1", url).removesuffix("$")
            assert re.fullmatch(r"[\w/.-]+", url), f"no sample is known for {route}"
            found.append(f"/{url}")
    return sorted(set(found))


@pytest.fixture
def project(rolled_back: None) -> Iterator[None]:
    with api_project.api_settings():
        yield


@pytest.fixture
def server(project: None) -> Iterator[Any]:
    with api_project.secrets_served() as server:
        yield server


def bearing(token: str) -> Client:
    return Client(headers={"authorization": f"Bearer {token}"})


def inactive() -> Client:
    """A client of a superuser whose account was closed while the session is there."""
    from django.contrib.auth.models import User

    client = client_of("gone", superuser=True)
    User.objects.filter(username="gone").update(is_active=False)
    return client


def strangers() -> dict[str, Client]:
    """Clients of everybody who may see nothing."""
    return {
        "nobody": Client(),
        "inactive staff": inactive(),
        "a member": client_of("member", "view_tree", "restart_actor", staff=False),
        "staff without a permission": client_of("staff"),
        "a token without a permission": bearing(api_project.NOBODY),
        "a token of somebody else's": bearing("a-token-that-is-not-ours"),
    }


def process_of(server: Any) -> str:
    answer = bearing(api_project.READER).get("/greenroom/api/v1/processes").json()
    (only,) = answer["answers"]
    return only["process"]["id"]


def queries(process: str) -> list[dict[str, str]]:
    """What is asked with each URL: those that fit one view are wrong at another."""
    place = {"process": process, "path": TARGET}
    more = {"traceback": "true", "state": "true", "stack": "true"}
    return [{}, place, more, {"stack": "true"}, {**place, **more}]


def text_of(response: HttpResponse) -> str:
    """All that somebody gets to see: the body, the headers, what was said of old."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{response.headers}{body.decode()}"


def state_of(server: Any) -> dict[str, object]:
    """What no GET may change."""
    from greenroom.bridges.django.models import AuditEntry

    paths = ("/residents/secretive", "/residents/busy")
    return {
        "audit": AuditEntry.objects.exclude(outcome="denied").count(),
        "acts": len(server.events("admin.action")),
        "epochs": [server.root.snapshot().find(path).epoch for path in paths],
        "open": len(server.sockets()),
        "traces": len(server.events("trace.began")),
        "suspended": len(server.events("slot.suspended")),
    }


def is_turned_away(response: HttpResponse, url: str) -> bool:
    if response.status_code == 302:
        return "/login/" in response["Location"] and not BY_TOKEN.match(url)
    return response.status_code in (401, 403, 405)


def test_the_walk_finds_all(project: None) -> None:
    """
    The walk meets the pages, the actions, the JSON API twice, health and metrics.
    """
    found = urls()

    for url in (
        "/admin/greenroom/",
        "/admin/greenroom/actor/",
        "/admin/greenroom/act/restart/",
        "/admin/greenroom/audit/",
        "/admin/greenroom/api/v1/",
        "/admin/greenroom/api/v1/tree",
        "/admin/greenroom/api/v1/actors/residents/secretive/actions/restart",
        "/greenroom/api/v1/audit",
        "/greenroom/api/v1/actions/restart",
        "/greenroom/health/live",
        "/greenroom/metrics",
        "/greenroom/tree.json",
    ):
        assert url in found
    assert len(found) > 40


def test_strangers_are_turned_away(server: Any) -> None:
    """
    Anonymous, not staff, without a permission, without a token of ours: the login page, 401, 403 or
    405, on every URL and by every method; and nothing of the tree in what they get.
    """
    before = state_of(server)
    let_in: list[str] = []
    for who, client in strangers().items():
        for url in urls():
            if url in OPEN_TO_ALL:
                continue
            for method in METHODS:
                response = client.generic(method, url)
                text = text_of(response)
                leaked = [each for each in api_project.EVERYTHING if each in text]
                # A login page names where its visitor wanted to go.
                leaked = [each for each in leaked if not (each == "secretive" and each in url)]
                if not is_turned_away(response, url) or leaked:
                    let_in.append(f"{who}: {method} {url}: {response.status_code} {leaked}")

    assert let_in == []
    assert state_of(server) == before


def test_health_tells_strangers_nothing(server: Any) -> None:
    """
    Health is for everybody, and says yes or no; a wrong token is refused.
    """
    for who, client in strangers().items():
        for url in OPEN_TO_ALL:
            for method in METHODS:
                response = client.generic(method, url)
                if who == "a token of somebody else's":
                    assert response.status_code == 401
                elif method in ("GET", "HEAD"):
                    assert response.status_code in (200, 503)
                    assert not any(each in text_of(response) for each in api_project.EVERYTHING)
                else:
                    assert response.status_code == 405


def test_a_get_changes_nothing(server: Any) -> None:
    """
    Whoever may do everything changes nothing by a safe method, whatever he asks for: nothing in the
    tree, no entry in the audit log, no row in the database.
    """
    mighty = client_of("mighty", superuser=True)
    process = process_of(server)
    before = state_of(server)
    with CaptureQueriesContext(connection) as captured:
        for url in urls():
            for method in SAFE:
                for query in queries(process) if method == "GET" else [{}]:
                    response = mighty.generic(method, url, query_params=query)
                    if response.streaming:
                        response.close()
                    assert response.status_code < 500 or response.status_code in (501, 503), url

    reads = ("SELECT", "SAVEPOINT", "RELEASE")
    asked = [each["sql"].strip() for each in captured]
    written = [sql for sql in asked if not sql.startswith(reads)]
    assert written == []
    assert state_of(server) == before


def test_a_post_without_the_csrf_token_changes_nothing(server: Any) -> None:
    """
    Another site's form, sent by the browser of somebody who may do everything, does nothing.
    """
    client = client_of("mighty", superuser=True)
    client.handler.enforce_csrf_checks = True
    process = process_of(server)
    before = state_of(server)
    for url in urls():
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for kind, body in (
                ("application/json", json.dumps({"process": process, "path": TARGET})),
                ("application/x-www-form-urlencoded", f"process={process}&path={TARGET}"),
                ("text/plain", "{}"),
            ):
                response = client.generic(method, url, body, kind)
                assert response.status_code in (401, 403, 405), f"{method} {url}"

    assert state_of(server) == before


def seen(client: Client, process: str) -> str:
    """All that *client* gets to see of all URLs."""
    texts: list[str] = []
    for url in urls():
        for query in queries(process):
            response = client.get(url, query)
            if not (response.streaming and "event-stream" in response["Content-Type"]):
                texts.append(text_of(response))
    return "\n".join(texts)


def test_nothing_leaks_to_who_may_see_the_tree(server: Any) -> None:
    """
    view_tree alone shows no traceback, no text of an exception and no state; nobody is shown a
    message, or an attribute.
    """
    process = process_of(server)
    for client in (client_of("ada", "view_tree"), bearing(api_project.READER)):
        text = seen(client, process)
        assert TARGET in text
        for secret in (*SECRETS_OF_NO_PAGE, *SECRETS_WITH_LEAVE):
            assert secret not in text, secret


def test_who_may_see_more_sees_it(server: Any) -> None:
    """
    With the permissions the traceback, and what describe() says, are there; messages still are not.
    """
    process = process_of(server)
    permissions = ("view_tree", "view_traceback", "view_state")
    for client in (client_of("ada", *permissions), bearing(api_project.OPERATOR)):
        text = seen(client, process)
        for secret in SECRETS_WITH_LEAVE:
            assert secret in text, secret
        for secret in SECRETS_OF_NO_PAGE:
            assert secret not in text, secret
