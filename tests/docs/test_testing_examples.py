# The tests that how-to/test-a-consumer.md shows, run in the introduction's project as it says.

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
ASYNC = "test_guestbook_async.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The introduction's project, with these tests in it."""
    shutil.copytree(EXAMPLES / "introduction", tmp_path, dirs_exist_ok=True)
    for name in ("test_guestbook.py", ASYNC):
        shutil.copy(EXAMPLES / "testing" / name, tmp_path)
    shutil.copy(EXAMPLES / "testing" / "tests.py", tmp_path / "chat")
    return tmp_path


def run(project: Path, *arguments: str) -> str:
    """Run Python with *arguments* in *project*; return what it says."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=project,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mysite.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ini", "tests", "passed"),
    [
        pytest.param("addopts = -p no:asyncio", "test_guestbook.py", "7 passed", id="plain"),
        pytest.param("trio_mode = true\naddopts = -p no:asyncio", ASYNC, "2 passed", id="trio"),
        pytest.param(
            "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
            "addopts = -p no:trio",
            ASYNC,
            "2 passed",
            id="asyncio",
        ),
    ],
)
def test_with_pytest(project: Path, ini: str, tests: str, passed: str) -> None:
    """
    They pass with pytest-django, and with each plugin that the page names.
    """
    settings = f"[pytest]\npythonpath = .\nfilterwarnings = error\n{ini}\n"
    (project / "pytest.ini").write_text(settings)
    said = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    assert passed in said


def test_with_manage_py(project: Path) -> None:
    """
    Django's own classes pass under `manage.py test`.
    """
    assert "Ran 4 tests" in run(project, "manage.py", "test", "chat")
