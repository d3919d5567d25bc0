# The project in `console`: its users made once, and served under the real `hypercorn -k trio`.

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e._browser import Visit
from e2e.conftest import Served, serve_project
from playwright.sync_api import Page

FOLDER = Path(__file__).resolve().parent / "console"
PREPARE = """
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
User.objects.create_superuser("staff", password="secret-staff")
User.objects.create_user("trader", password="secret-trader", is_staff=True)
"""
ARTEFACTS = "GREENROOM_TEST_SCREENSHOTS"
"""The variable that names the folder in which screenshots stay."""


class Console:
    """The served project."""

    def __init__(self, served: Served, environment: dict[str, str]) -> None:
        self.served, self.environment = served, environment

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://{self.served.host}"

    def beside(self, script: str) -> str:
        """Run a script in a process of the same project that serves nothing; what it prints."""
        return run(self.environment, script)


def run(environment: dict[str, str], script: str) -> str:
    """Run a script with the project's settings, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", script],
        cwd=FOLDER,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@contextmanager
def console(folder: Path, *options: str, shares: int = 3) -> Iterator[Console]:
    """Make the tables and users in a new database, and serve."""
    environment = {"CONSOLE_FOLDER": str(folder), "CONSOLE_SHARES": str(shares)}
    run(environment, PREPARE)
    with serve_project("market.asgi:application", *options, folder=FOLDER, **environment) as served:
        yield Console(served, environment)


def log_in(visit: Visit, path: str, name: str = "staff") -> Page:
    """Open a page of the admin as somebody who logs in for it."""
    page = visit(path)
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(f"secret-{name}")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{path}")
    return page


def keep(page: Page, name: str, folder: Path) -> None:
    """Keep a picture of the page, where CI finds it if it says where."""
    kept = Path(os.environ.get(ARTEFACTS) or folder)
    kept.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=kept / f"{name}.png", full_page=True)
