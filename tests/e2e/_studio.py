# The project in `studio`: its data made once, and served under the real `hypercorn -k trio`.

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e._memory import Memory
from e2e.conftest import Served, serve_project

FOLDER = Path(__file__).resolve().parent / "studio"
PREPARE = """
from django.contrib.auth.models import User
from django.conf import settings
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_superuser("staff", password="secret-staff")
User.objects.create_superuser("other", password="secret-other")
if not settings.DEBUG:
    call_command("collectstatic", "--noinput", verbosity=0)
"""


class Studio:
    """The served project; asks it things that no page shows."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served, self.folder = served, folder

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://{self.served.host}"

    @property
    def output(self) -> str:
        """What its server has printed."""
        return self.served.output

    def get(self, path: str) -> bytes:
        """The body of a page."""
        with closing(self.connection()) as client:
            client.request("GET", path)
            return client.getresponse().read()

    def closed(self) -> list[str]:
        """Which generators have run their ``finally``."""
        return json.loads(self.get("/closed/"))["closed"]

    def memory(self) -> Memory:
        """What the worker takes from now on."""
        return Memory(int(self.get("/pid/")))

    def connection(self) -> http.client.HTTPConnection:
        """A client of the standard library."""
        return http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=120)

    def token(self, client: http.client.HTTPConnection) -> tuple[str, str]:
        """The CSRF cookie and the token of the form that a page shows."""
        client.request("GET", "/upload/")
        response = client.getresponse()
        cookie = (response.getheader("set-cookie") or "").partition(";")[0]
        found = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', response.read())
        assert found
        return cookie, found[1].decode()


@contextmanager
def studio(folder: Path, database: dict[str, Any] | None = None, **env: str) -> Iterator[Studio]:
    """Make the tables and users in a new database, collect the static files, and serve."""
    environment = {"STUDIO_FOLDER": str(folder), **env}
    if database is not None:
        environment["STUDIO_DATABASE"] = json.dumps(database)
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", PREPARE],
        cwd=FOLDER,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    with serve_project("studio.asgi:application", folder=FOLDER, **environment) as served:
        yield Studio(served, folder)
    output = served.output  # all of it has been read now
    assert "leaked" not in output
    assert output.count("Traceback") == output.count("\nRuntimeError: crashed as told")


@contextmanager
def studio_on(request: pytest.FixtureRequest, folder: Path) -> Iterator[Studio]:
    """The same on the database that a fixture's parameter names: ``sqlite`` or ``postgresql``."""
    database = None
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres")
        database = postgres.settings(postgres.create())
    with studio(folder, database) as served:
        yield served
