# What tests/conftest.py promises: tried on small suites that have a copy of it.

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).resolve().parent / "conftest.py"

SKIPS = """
import pytest

def test_browser():
    pytest.skip("needs chromium: apt-get install chromium")

@pytest.mark.skipif(True, reason="needs chromium")
def test_mark():
    pass

@pytest.mark.skipif(True, reason="only on Windows")
def test_windows():
    pass
"""

MODULE_SKIPS = """
import pytest

pytest.importorskip("no_such_module", reason="needs no_such_module")
"""


def run(folder: Path, source: str, ci: str) -> str:
    """Run a suite of one file beside a copy of conftest.py; return what pytest printed."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout


def test_in_ci_nothing_may_be_missing(tmp_path: Path) -> None:
    """
    Where CI=true a test that lacks something fails; one that is not meant for here is skipped.
    """
    printed = run(tmp_path, SKIPS, ci="true")

    assert "1 failed, 1 skipped, 1 error" in printed
    assert "in CI nothing may be missing, but this needs chromium" in printed


def test_elsewhere_what_is_missing_is_skipped(tmp_path: Path) -> None:
    """
    On a person's machine a test that lacks something is skipped, with its reason.
    """
    assert "3 skipped" in run(tmp_path, SKIPS, ci="")


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("", "1 skipped")])
def test_a_module_that_lacks_something_counts_too(tmp_path: Path, ci: str, outcome: str) -> None:
    """
    A module that skips itself at import is an error in CI, a skip elsewhere.
    """
    assert outcome in run(tmp_path, MODULE_SKIPS, ci=ci)


def test_a_stale_install_is_named(tmp_path: Path) -> None:
    """
    A module of the checkout that the strict, editable install has no link for stops the run.
    """
    root, links = tmp_path / "checkout", tmp_path / "build" / "__editable__.greenroom"
    for tree in (root, links / "greenroom"):
        (tree / "actors").mkdir(parents=True)
        (tree / "actors" / "__init__.py").touch()
    (root / "actors" / "_new.py").touch()
    (root / "tests").mkdir()
    shutil.copy(CONFTEST, root / "tests")
    (root / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        # -S leaves out .pth files, and with them the real install; dependencies are added by hand.
        [sys.executable, "-S", "-m", "pytest", "-p", "no:cacheprovider", "tests"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(links), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 3
    assert "not installed: actors/_new.py. Run `make test`" in done.stdout + done.stderr
