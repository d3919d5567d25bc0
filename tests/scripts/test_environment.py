# The environment script as a person meets it who lacks something: one line, with the remedy.

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


SCRIPT = ROOT / "scripts" / "environment.py"


def run(folder: Path, script: Path = SCRIPT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the environment script for an environment in *folder*."""
    return subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "VENV": str(folder / "env"), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def fake_modules(folder: Path, **modules: str) -> str:
    """Make modules with the given source; return the PYTHONPATH that shows them."""
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return str(folder)


def test_without_ensurepip_it_names_the_package_to_install(tmp_path: Path) -> None:
    """
    A Python without ensurepip, as on a bare Debian, gets one line that says what to install.
    """
    shown = fake_modules(tmp_path, ensurepip="raise ImportError")
    done = run(tmp_path, PYTHONPATH=shown)

    assert done.returncode == 1
    assert "ensurepip" in done.stderr
    assert "apt install python3" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "env").exists()


def test_a_venv_that_fails_names_the_package_to_install(tmp_path: Path) -> None:
    """
    Where making the environment fails all the same, the remedy comes with what was said.
    """
    said = "ensurepip is not available. On Debian " + "and so on " * 40
    broken = f"import sys\nif __name__ == '__main__': sys.exit({said!r})"
    done = run(tmp_path, PYTHONPATH=fake_modules(tmp_path, venv=broken))

    assert done.returncode == 1
    assert "apt install python3" in done.stderr.splitlines()[-1]
    assert "It said: " in done.stderr.splitlines()[-1]
    assert not (tmp_path / "env").exists()


def test_a_venv_that_fails_for_another_reason_names_no_package(tmp_path: Path) -> None:
    """
    A full disk is not mended by installing something: the line has the reason.
    """
    broken = "import sys\nif __name__ == '__main__': sys.exit('No space left on device')"
    done = run(tmp_path, PYTHONPATH=fake_modules(tmp_path, venv=broken))

    assert done.returncode == 1
    assert "apt" not in done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_checkout_that_is_not_writable_is_one_line(tmp_path: Path) -> None:
    """
    In somebody else's checkout nothing is made; the line says to clone it.
    """
    scripts = tmp_path / "checkout" / "scripts"
    shutil.copytree(ROOT / "scripts", scripts)
    scripts.parent.chmod(0o555)
    done = run(tmp_path, scripts / "environment.py")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "make a clone" in done.stderr
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("python", ["no-such-python", "old-python"])
def test_make_without_a_python_that_can_read_the_script_is_one_line(
    tmp_path: Path, python: str
) -> None:
    """
    No interpreter, or one too old for the script's syntax: make says what to install.
    """
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", f"PYTHON={tmp_path / python}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    first, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert "apt install python3" in first
    assert all(line.startswith("make") for line in rest)


@pytest.mark.slow
def test_without_network_it_says_so(tmp_path: Path) -> None:
    """
    With no package index in reach it says what to do, and keeps no stamp: the next run goes on.
    """
    done = run(
        tmp_path,
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/",
        PIP_EXTRA_INDEX_URL="",
        PIP_FIND_LINKS="",
        PIP_NO_CACHE_DIR="1",
    )

    assert done.returncode == 1
    assert "package index" in done.stderr.splitlines()[-1]
    assert "PIP_INDEX_URL" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "env" / "greenroom-stamp.json").exists()


def test_it_does_not_touch_a_folder_of_yours(tmp_path: Path) -> None:
    """
    A folder that is no environment is left alone.
    """
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "thesis.txt").write_text("only copy")
    done = run(tmp_path)

    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert (tmp_path / "env" / "thesis.txt").exists()
