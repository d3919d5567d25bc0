# What users' tests of a Django project see: pytest-django's `db` and Django's TestCase, on SQLite
# in memory and on PostgreSQL, with a pool and without.

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e._databases import PROJECT, Kept

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "kept", [Kept("sqlite"), Kept("postgres"), Kept("postgres", pool=True)], ids=str
)
def test_threads_see_the_data_of_a_test(
    kept: Kept, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """
    Handlers, views and async ORM work see what a test wrote, and nothing is left for the next.
    """
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    if kept.engine == "postgres":
        postgres = request.getfixturevalue("postgres")
        settings = postgres.settings(postgres.create())
        if kept.pool:
            settings["OPTIONS"] = {"pool": {"min_size": 0, "max_size": 24}}
    ini = tmp_path / "pytest.ini"
    ini.write_text(
        "[pytest]\ntrio_mode = true\nDJANGO_SETTINGS_MODULE = mysite.settings\n"
        "filterwarnings = error\npython_files = user_tests.py\naddopts = -p no:asyncio\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(ini), "--rootdir", str(PROJECT)),
            *("-p", "no:cacheprovider", "notes/user_tests.py"),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "GREENROOM_TEST_DATABASES": json.dumps({"default": settings}),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
