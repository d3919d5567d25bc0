"""Django's own tests on trio: fetch the source of the installed Django, run modules, compare.

    python tests/djangotests/run.py                 the modules in known.py
    python tests/djangotests/run.py async handlers  these
    python tests/djangotests/run.py --loop asyncio  async views without a mark on the loop beside
    python tests/djangotests/run.py --source DIR    with a source distribution unpacked there

Nothing of Django is stored in this repository: its source distribution is downloaded with pip into
a temporary folder. A test that fails must stand in known.py with the reason, and a test that
stands there must fail; anything else is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import django

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from djangotests.known import CANNOT, EITHER, MODULES  # noqa: E402

SECONDS = 1500


def main() -> int:
    """Run and compare; return 1 if the outcome is not the known one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--source", type=Path, help="Django's source distribution, unpacked")
    parser.add_argument("--loop", choices=("trio", "asyncio"), default="trio")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = arguments.source or fetch(f"django=={django.get_version()}", Path(folder))
        outcome = run(source / "tests", arguments.modules, arguments.loop, Path(folder))
    return compare(f"Django {django.get_version()}", outcome, CANNOT, EITHER)


def fetch(wanted: str, folder: Path) -> Path:
    """Return the folder of the source distribution of *wanted*, newly fetched."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    # --no-build-isolation, or pip fetches what would build it, only to read its name.
    pip += ["--no-build-isolation", "--disable-pip-version-check", "--dest", str(folder), wanted]
    subprocess.run(pip, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    return source


def run(tests: Path, modules: list[str], loop: str, folder: Path) -> dict[str, list[str]]:
    """Run *modules* in a process of their own; return the names of the tests by how they ended."""
    outcome = folder / "outcome.json"
    modules = [name for name in modules if (tests / name.partition(".")[0]).is_dir()]  # 6.0: tasks
    child = subprocess.run(
        [sys.executable, str(HERE / "child.py"), "--parallel=1", *modules],
        cwd=tests,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent),
            "GREENROOM_OUTCOME": str(outcome),
            "GREENROOM_ASYNC_VIEWS": loop,
            "PYTHONWARNINGS": "default",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not outcome.exists():
        sys.exit(f"{child.stdout}{child.stderr}\ndjangotests: the run gave no outcome")
    ended: dict[str, list[str]] = json.loads(outcome.read_text())
    if set(ended["failed"]) - set(CANNOT) - set(EITHER):
        print(child.stderr)
    return ended


def compare(
    what: str,
    ended: dict[str, list[str]],
    cannot: dict[str, str],
    either: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Print the figures and what is not as known; return 1 if anything is not."""
    passed, failed, skipped = set(ended["passed"]), set(ended["failed"]), set(ended["skipped"])
    new = sorted(failed - set(cannot) - set(either))
    better = sorted(passed & set(cannot))
    for name in new:
        print(f"fails, and nobody knows why: {name}")
    for name in better:
        print(f"passes, though known.py says that it cannot: {name}")
    for name in sorted(failed & set(either)):
        print(f"may fail: {name}: {either[name]}")
    for name in sorted(failed & set(cannot)):
        print(f"cannot pass: {name}: {cannot[name]}")
    print(
        f"{what} on trio: {len(passed)} passed, {len(failed)} failed, of which"
        f" {len(failed) - len(new)} as known, {len(skipped)} skipped by themselves"
    )
    return 1 if new or better or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
