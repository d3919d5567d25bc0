"""asgiref's own tests on trio: fetch the source of the installed asgiref, run modules, compare.

    python tests/asgireftests/run.py                 the modules in known.py
    python tests/asgireftests/run.py test_local.py   these
    python tests/asgireftests/run.py --source DIR    with a source distribution unpacked there

As with Django's (tests/djangotests) nothing is stored here, and what fails must stand in known.py
with the reason. Each test runs in a run of trio of its own: see plugin.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from djangotests.run import compare, fetch  # noqa: E402

from asgireftests.known import CANNOT, MODULES  # noqa: E402

SECONDS = 300
NOT_OURS = ("cacheprovider", "cov", "django", "trio", "xdist")
"""Plugins of pytest that have no business with these tests."""


def main() -> int:
    """Run and compare; return 1 if the outcome is not the known one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--source", type=Path, help="asgiref's source distribution, unpacked")
    arguments = parser.parse_args()
    what = f"asgiref {version('asgiref')}"
    with tempfile.TemporaryDirectory() as folder:
        source = arguments.source or fetch(what.replace(" ", "=="), Path(folder))
        outcome = run(source / "tests", arguments.modules, Path(folder))
    return compare(what, outcome, CANNOT)


def run(tests: Path, modules: list[str], folder: Path) -> dict[str, list[str]]:
    """Run *modules* in a process of their own; return the names of the tests by how they ended."""
    outcome, settings = folder / "outcome.json", folder / "pytest.ini"
    settings.write_text("[pytest]\n")
    modules = [name for name in modules if (tests / name).exists()]  # before 3.13: one less
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:asyncio"]
    command += ["-p", "asgireftests.plugin"]
    command += [option for name in NOT_OURS for option in ("-p", f"no:{name}")]
    command += ["-c", str(settings), "--rootdir", str(tests), *modules]
    child = subprocess.run(
        command,
        cwd=tests,
        env={**os.environ, "PYTHONPATH": str(TESTS), "GREENROOM_OUTCOME": str(outcome)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not outcome.exists():
        sys.exit(f"{child.stdout}{child.stderr}\nasgireftests: the run gave no outcome")
    ended: dict[str, list[str]] = json.loads(outcome.read_text())
    if set(ended["failed"]) - set(CANNOT):
        print(child.stdout)
    return ended


if __name__ == "__main__":
    sys.exit(main())
