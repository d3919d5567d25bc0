# What holds of actors and of supervision holds in a traced tree: the tests of others, run in one.

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent.parent
CORE = """
    actors/test_life.py actors/test_tasks.py supervisor/test_slot.py supervisor/test_slot_ends.py
    supervisor/test_groups.py conformance/test_calls.py conformance/test_restart_types.py
"""


@pytest.mark.slow
def test_others_hold() -> None:
    """
    The core's own tests, and a part of the conformance suite, pass with every tree traced.
    """
    files = [str(TESTS / each) for each in CORE.split()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "all_traced", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *files],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
