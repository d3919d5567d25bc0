# The demo as a Django project: what its own commands say.

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DEMO = Path(__file__).resolve().parents[2] / "docs" / "examples" / "chat"


class Manage:
    """`python manage.py ...` of the demo, with a database of its own."""

    def __init__(self, data: Path) -> None:
        self._environment = {**os.environ, "DEMO_DATA_DIR": str(data)}

    def __call__(self, *arguments: str) -> str:
        """Run a command, which must succeed without a warning, and return what it says."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "manage.py", *arguments],
            cwd=DEMO,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """The demo's commands."""
    return Manage(tmp_path)


def test_its_own_tests_pass(manage: Manage) -> None:
    """
    `manage.py test`, which drives the consumers in process on a virtual clock, passes.
    """
    assert "\nOK\n" in manage("test", "--no-color")


def test_preparing_is_quiet_and_can_be_repeated(manage: Manage) -> None:
    """
    prepare_demo makes the rooms and the staff user once, however often it runs, and is quiet.
    """
    count = (
        "from chat.models import Room; from django.contrib.auth.models import User;"
        "print('rooms', Room.objects.count(), 'users', User.objects.count())"
    )

    assert manage("prepare_demo") == ""
    assert manage("prepare_demo") == ""

    assert "rooms 3 users 1" in manage("shell", "--verbosity=0", "-c", count)


def test_nothing_is_left_to_migrate_or_to_check(manage: Manage) -> None:
    """
    Its models have their migrations, and Django's and Greenroom's system checks are content.
    """
    assert "No changes detected" in manage("makemigrations", "--check", "--dry-run")
    assert "no issues" in manage("check", "--fail-level=INFO")


def test_the_secret_key_is_kept_from_others(manage: Manage, tmp_path: Path) -> None:
    """
    The secret key is made up once, kept, and readable for its owner alone.
    """
    manage("check")
    file = tmp_path / "secret_key.txt"
    key = file.read_text()
    manage("check")

    assert len(key) >= 50
    assert file.read_text() == key
    assert file.stat().st_mode & 0o077 == 0
