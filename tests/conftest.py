# What holds for every test: no stale install, the same random numbers, no silent skip in CI.

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Some machines set it for all; then each server that a test starts compiles all of Greenroom anew,
# a tenth of what such a test costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A test that needs something from outside skips with a reason that starts with this word
# ("needs chromium"). On a person's machine that is right; in CI everything is there.
NEEDS = "needs "
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# The same examples every time: a red test stays red until it is mended. `--hypothesis-profile
# default --hypothesis-seed random` looks for new ones. No deadline: CI machines stall.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """
    Run three processes on two cores: tests of real servers wait for much of their time.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, cores * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """
    Stop at once when a file in the checkout is not in the (strict, editable) install.
    """
    found = importlib.util.find_spec("greenroom.actors")
    if found is None or found.origin is None:
        pytest.exit("greenroom is not installed: run `make test`.", returncode=3)
    installed = Path(found.origin).parent.parent
    if "__editable__" not in installed.parent.name:
        return  # a wheel, or an import-hook install: never stale
    missing = [
        str(path.relative_to(ROOT))
        for folder in ("actors", "supervisor", "bridges")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
        if not (installed / path.relative_to(ROOT)).exists()
    ]
    if missing:
        pytest.exit(
            f"not installed: {', '.join(missing)}. Run `make test`, or `pip install -e .` in an"
            " environment of your own; if that does not help, list the folder under"
            " [tool.setuptools] packages or the file under package-data.",
            returncode=3,
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Leave out what holds only with the connection handler, or only without it; and what is slow
    or long, unless `-m` names it.
    """
    off = os.environ.get("GREENROOM_FAST_CONNECTIONS") == "0"
    others = ["handler" if off else "plain_asgi"]
    others += [size for size in ("slow", "long") if size not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, others))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """
    Turn a test's "skipped: needs ..." into a failure in CI.
    """
    report = yield
    nothing_is_missing(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """
    Turn a whole module's "skipped: needs ..." into a failure in CI.
    """
    report = yield
    nothing_is_missing(report)
    return report


def nothing_is_missing(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Fail *report* if it was skipped in CI for want of something."""
    if IN_CI and report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if reason.startswith(NEEDS):
            report.outcome = "failed"
            report.longrepr = f"in CI nothing may be missing, but this {reason}"


@pytest.fixture(scope="session", autouse=True)
def _apart() -> Iterator[None]:
    """
    The servers of this process's tests, and who asks them, find nobody else's.
    """
    with TemporaryDirectory(prefix="gr-") as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", made)
        yield


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The wheel, built from a copy of the checkout, so that no old `build/lib` gets into it.
    """
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in ("actors", "supervisor", "bridges"):
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(target)]
    if int(importlib.metadata.version("setuptools").split(".")[0]) >= 77:
        command.append("--no-build-isolation")  # offline; `make` puts the backend here
    done = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(target.glob("*.whl"))
