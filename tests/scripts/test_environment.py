# The environment script as a person meets it who lacks something: one line, with the remedy.

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the environment script for an environment in *folder*."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "environment.py")],
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
    broken = "import sys\nif __name__ == '__main__': sys.exit('ensurepip is not available')"
    done = run(tmp_path, PYTHONPATH=fake_modules(tmp_path, venv=broken))

    assert done.returncode == 1
    assert "apt install python3" in done.stderr.splitlines()[-1]
    assert "ensurepip is not available" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "env").exists()


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
