# A project without the app, without an admin, without a database: what its URLs give all the same.

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import json, sys, types
from django.conf import settings

TOKEN = "a-token-of-the-readers-1234"
settings.configure(
    SECRET_KEY="only for tests",
    ROOT_URLCONF="urls",
    INSTALLED_APPS=[],
    DATABASES={},
    GREENROOM={
        "INSPECTION_TOKENS": {
            "all": {"token": TOKEN, "permissions": ["view_tree", "view_audit", "restart_actor"]}
        }
    },
)
import django

django.setup()
from django.test import Client
from django.urls import include, path

urls = sys.modules["urls"] = types.ModuleType("urls")
urls.urlpatterns = [path("g/", include("greenroom.bridges.django.urls"))]
client = Client(headers={"authorization": f"Bearer {TOKEN}"})
said = {
    name: [(answer := client.get(f"/g/{name}")).status_code, answer.content.decode()]
    for name in ("health/ready", "api/v1/", "api/v1/tree", "api/v1/audit", "metrics")
}
answer = client.post("/g/api/v1/actions/restart", "{}", content_type="application/json")
said["act"] = [answer.status_code, answer.content.decode()]
answer = Client().get("/g/api/v1/tree")
said["nobody"] = [answer.status_code, answer.content.decode()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[int, str]]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: (status, text) for name, (status, text) in found.items()}


def test_what_needs_no_app(said: dict[str, tuple[int, str]]) -> None:
    """
    Tokens, the index, the tree and the metrics need neither the app nor a database.
    """
    assert said["api/v1/"][0] == 200
    assert said["metrics"][0] == 200
    assert said["nobody"][0] == 401
    assert said["api/v1/tree"][0] == 503
    assert "No worker process of this project runs." in said["api/v1/tree"][1]
    assert said["health/ready"][0] == 503
    assert "no Greenroom runs in this process" in said["health/ready"][1]


def test_what_needs_the_app_says_so(said: dict[str, tuple[int, str]]) -> None:
    """
    Actions and the audit log, which need tables, say what to install.
    """
    for name in ("api/v1/audit", "act"):
        status, text = said[name]
        assert status == 501
        assert "'greenroom.bridges.django' in INSTALLED_APPS" in text
