# Health as Django's views, in a project that serves them, and before Django, where threads are few.

import json
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path

from greenroom.actors import Actor, handles
from greenroom.bridges.django import Greenroom, django_application, re_path
from greenroom.bridges.inspection import HealthApp
from greenroom.bridges.testing import run_server, virtual_clock

TOKEN = "a-token-of-the-readers-1234"
TOKENS = {
    "reader": {"token": TOKEN},
    "other": {"token": TOKEN[::-1], "permissions": ["view_audit"]},
}
LIVE, READY = "/greenroom/health/live", "/greenroom/health/ready"


class Broken(Actor):
    restart = "permanent"

    @handles("crash")
    async def on_crash(self, message: object) -> None:
        raise RuntimeError("broken")


class Gate:
    """A view that holds its thread until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def view(self, request: HttpRequest) -> HttpResponse:
        self.entered.set()
        self.opened.wait(60)
        return HttpResponse("at last")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """
    A project with Greenroom's URLs and a view that waits.
    """
    gate = Gate()
    urls: Any = ModuleType("health_urls")
    urls.urlpatterns = [
        path("waits/", gate.view),
        path("greenroom/", include("greenroom.bridges.django.urls")),
    ]
    monkeypatch.setitem(sys.modules, "health_urls", urls)
    with override_settings(ROOT_URLCONF="health_urls", GREENROOM={"INSPECTION_TOKENS": TOKENS}):
        yield gate
    gate.opened.set()
    connections.close_all()


def ask(server: Any, path: str, token: str = "", method: str = "GET") -> tuple[int, Any]:
    headers = [("authorization", f"Bearer {token}")] if token else []
    answer = server.http(method, path, headers=headers)
    return answer.status, json.loads(answer.body) if answer.body else None


def test_all_is_well(gate: Gate) -> None:
    """
    Both say ok to everybody, and to a token that there are no problems.
    """
    with run_server(Greenroom(http=django_application())) as server:
        for url in (LIVE, READY):
            assert ask(server, url) == (200, {"status": "ok"})
            assert ask(server, url, TOKEN) == (200, {"status": "ok", "problems": []})
            assert ask(server, url, method="HEAD") == (200, None)
            assert ask(server, url, "not-a-token-of-ours-at-all")[0] == 401
            assert ask(server, url, method="POST")[0] == 405


def test_a_resident_has_given_up(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """
    Alive and not ready; only a token that may see the tree is told why, and nobody is mailed.
    """
    application = Greenroom(http=django_application(), children=[Broken], max_restarts=0)
    with run_server(application, crashes="allow", clock=virtual_clock()) as server:
        server.root.find("/residents/broken").cast({"type": "crash"})
        server.wait_event("slot.parked")
        caplog.clear()
        assert ask(server, LIVE) == (200, {"status": "ok"})
        assert ask(server, READY) == (503, {"status": "not ready"})
        assert ask(server, READY, TOKEN[::-1]) == (503, {"status": "not ready"})
        problems = ["/residents/broken is not up"]
        assert ask(server, READY, TOKEN) == (503, {"status": "not ready", "problems": problems})

    assert [each.name for each in caplog.records if each.name == "django.request"] == []


def test_before_django(gate: Gate) -> None:
    """
    HealthApp answers on the loop while the only thread for views is taken.
    """
    routes = [re_path(r"^health/", HealthApp()), re_path(r"", django_application())]
    with run_server(Greenroom(http=routes, view_threads=1)) as server:
        waiting = threading.Thread(target=lambda: server.http("GET", "/waits/"))
        waiting.start()
        assert gate.entered.wait(60)
        assert ask(server, "/health/live") == (200, {"status": "ok"})
        assert ask(server, "/health/ready") == (200, {"status": "ok"})
        gate.opened.set()
        waiting.join(60)
